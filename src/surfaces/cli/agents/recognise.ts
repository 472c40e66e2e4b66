import { LAUNCHERS, type Launcher } from './launchers.js'
import type { Recipe } from './recipe.js'
import { packageName, programName, splitWords } from './words.js'

/** What is known of a file that is run as a program. */
export interface ProgramFacts {
  /** The names of the file and of the links that lead to it. */
  readonly names: readonly string[]
  /** The packages that it belongs to, or whose program it starts. */
  readonly packages: readonly string[]
  /** The command line that a script of one command passes its own arguments on to. */
  readonly passesOnTo?: readonly string[]
}

/** Looks a program up as the system would: a bare name along PATH. `undefined` where there is none. */
export type LookUp = (program: string) => ProgramFacts | undefined

/** An agent that a command line starts. */
export interface Recognised {
  readonly recipe: Recipe
  /** Where arguments of ours can go: before this index of the line. Absent where they cannot. */
  readonly at?: number
}

// A script may start another one; nobody needs more.
const MAX_DEPTH = 8

/** The agent that a command line starts, seen through launchers, links and scripts; `undefined` for others. */
export function recognise(
  line: readonly string[],
  recipes: readonly Recipe[],
  lookUp: LookUp,
): Recognised | undefined {
  return new Recogniser(recipes, lookUp).program(line, 0, 0)
}

class Recogniser {
  readonly #recipes: readonly Recipe[]
  readonly #lookUp: LookUp

  constructor(recipes: readonly Recipe[], lookUp: LookUp) {
    this.#recipes = recipes
    this.#lookUp = lookUp
  }

  /** A program at `at` of the line, which may be a launcher. */
  program(line: readonly string[], at: number, depth: number): Recognised | undefined {
    const word = line[at]
    if (word === undefined || depth > MAX_DEPTH) return undefined
    const name = programName(word)
    for (const launcher of LAUNCHERS) {
      if (!launcher.names.includes(name)) continue
      const next = launcher.words === undefined ? at + 1 : afterWord(line, at + 1, launcher)
      if (next !== undefined) return this.#launched(launcher, line, next, depth + 1)
    }
    const recipe = this.#named([name], [])
    if (recipe !== undefined) return { recipe, at: at + 1 }
    return this.#file(word, at, depth)
  }

  #launched(
    launcher: Launcher,
    line: readonly string[],
    start: number,
    depth: number,
  ): Recognised | undefined {
    let at = start
    for (let own = launcher.own ?? 0; at < line.length; at += 1) {
      const word = line[at] ?? ''
      if (word === '--') continue
      const option = /^[-+]/.test(word) && word !== '-'
      if (option && takes(launcher.line, word)) return this.#inside(line, at, depth)
      if (option && takes(launcher.module, word)) return this.#packaged(line, at + 1)
      if (option) at += launcher.valued?.includes(word) === true ? 1 : 0
      else if (launcher.assigns === true && /^[A-Za-z_]\w*=/.test(word)) continue
      else if (own > 0) own -= 1
      else break
    }
    const word = line[at]
    if (word === undefined) return undefined
    if (launcher.starts === 'script') return this.#file(word, at, depth)
    return (
      (launcher.starts === 'package' ? this.#packaged(line, at) : undefined) ?? this.program(line, at, depth)
    )
  }

  /** A command line that is one argument: nothing can be put into it, but what it starts is known. */
  #inside(line: readonly string[], at: number, depth: number): Recognised | undefined {
    const found = this.program(shellCommand(line[at + 1] ?? ''), 0, depth)
    return found === undefined ? undefined : { recipe: found.recipe }
  }

  #packaged(line: readonly string[], at: number): Recognised | undefined {
    const name = packageName(line[at] ?? '')
    const recipe = this.#recipes.find((each) => each.packages.includes(name) || each.commands.includes(name))
    return recipe === undefined ? undefined : { recipe, at: at + 1 }
  }

  #file(word: string, at: number, depth: number): Recognised | undefined {
    const facts = this.#lookUp(word)
    if (facts === undefined) return undefined
    const recipe = this.#named(facts.names.map(programName), facts.packages)
    if (recipe !== undefined) return { recipe, at: at + 1 }
    if (facts.passesOnTo === undefined) return undefined
    const found = this.program(facts.passesOnTo, 0, depth + 1)
    return found === undefined ? undefined : { recipe: found.recipe, at: at + 1 }
  }

  #named(names: readonly string[], packages: readonly string[]): Recipe | undefined {
    return (
      this.#recipes.find((recipe) => recipe.packages.some((each) => packages.includes(each))) ??
      this.#recipes.find(
        ({ commands, packageOnly }) => packageOnly !== true && commands.some((each) => names.includes(each)),
      )
    )
  }
}

/** Behind the launcher's own subcommand, which options may precede. */
function afterWord(
  line: readonly string[],
  start: number,
  { words = [], valued = [] }: Launcher,
): number | undefined {
  let at = start
  while (line[at]?.startsWith('-') === true) at += valued.includes(line[at] ?? '') ? 2 : 1
  return words.includes(line[at] ?? '') ? at + 1 : undefined
}

/** Whether an option is one of these; letters of short options stand together (`-lc`). */
function takes(options: readonly string[] | undefined, word: string): boolean {
  if (options === undefined) return false
  if (options.includes(word)) return true
  return /^-[a-z]+$/i.test(word) && options.includes(`-${word.slice(-1)}`)
}

/** The one command of a shell's command line, without what a shell puts before it. */
function shellCommand(text: string): string[] {
  const words = splitWords(text)
  const first = words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word))
  return first < 0 ? [] : words.slice(first)
}
