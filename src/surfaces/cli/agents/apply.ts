import { join } from 'node:path'
import type { JsonObject, JsonValue } from '../../../domain/json-reader.js'
import { member, overlay, parseSettings } from './overlay.js'
import type { Change, Conflict, PlatformText, RecipeFile } from './recipe.js'
import type { Recognised } from './recognise.js'

/** One provider of the gateway, for a program. */
export interface Endpoint {
  readonly provider: string
  /** Without a slash at its end. */
  readonly base: string
  /** The variable of the provider's own SDKs that holds the token. */
  readonly key: string
}

/** What a recipe is applied to. */
export interface Subject {
  readonly line: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly endpoints: readonly Endpoint[]
  readonly token: string
  readonly platform: NodeJS.Platform
  readonly home: string
  /** A folder for this child alone; files of the recipe will lie there. */
  readonly folder: string
  /** The text of a file of the user's or the system's; `undefined` where there is none. */
  readonly read: (path: string) => string | undefined
}

/** A command line with its environment, ready to be started, and the files that have to be there. */
export interface Prepared {
  readonly line: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly files: ReadonlyMap<string, string>
  /** What was done, without any secret, for whoever wants to see it. */
  readonly done: readonly string[]
  /** What could not be done, or will not work. */
  readonly problems: readonly string[]
}

/** The endpoints that a recipe speaks to. */
export function endpointsOf({ recipe }: Recognised, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const known = endpoints.filter(({ provider }) => Object.hasOwn(recipe.providers, provider))
  return recipe.several === true ? known : known.slice(0, 1)
}

/** Applies a recipe to the command line and the environment of one program. Writes nothing. */
export function applyRecipe(recognised: Recognised, subject: Subject): Prepared {
  const { recipe } = recognised
  const used = endpointsOf(recognised, subject.endpoints)
  const application = new Application(recognised, subject)
  for (const endpoint of used) {
    const change = recipe.providers[endpoint.provider]
    if (change !== undefined) application.apply(change, endpoint)
  }
  const [first] = used
  if (first !== undefined && recipe.always !== undefined) application.apply(recipe.always, first)
  return application.prepared
}

/** Replaces what stands in braces. */
export function fillIn(
  text: string,
  { provider, base, key }: Endpoint,
  token: string,
  folder: string,
): string {
  return text.replace(/\{(base|provider|key|token|file:[\w.-]+)\}/g, (_whole, name: string) => {
    if (name === 'base') return base
    if (name === 'provider') return provider
    if (name === 'key') return key
    return name === 'token' ? token : join(folder, name.slice('file:'.length))
  })
}

class Application {
  readonly #recognised: Recognised
  readonly #subject: Subject
  readonly #env: Record<string, string | undefined>
  readonly #args: string[] = []
  readonly #files = new Map<string, string>()
  readonly #done: string[] = []
  readonly #problems: string[] = []

  constructor(recognised: Recognised, subject: Subject) {
    this.#recognised = recognised
    this.#subject = subject
    this.#env = { ...subject.env }
  }

  get prepared(): Prepared {
    const { at = 0 } = this.#recognised
    const { line } = this.#subject
    return {
      line: [...line.slice(0, at), ...this.#args, ...line.slice(at)],
      env: this.#env,
      files: this.#files,
      done: this.#done,
      problems: this.#problems,
    }
  }

  apply(change: Change, endpoint: Endpoint): void {
    const fill = (text: string): string => fillIn(text, endpoint, this.#subject.token, this.#subject.folder)
    for (const name of change.unset ?? []) this.#unset(name)
    // Before the variables, which may name the files that these are laid over.
    for (const file of change.files ?? []) this.#write(file, fill)
    for (const [name, text] of Object.entries(change.set ?? {})) this.#set(name, text, fill)
    for (const [name, text] of Object.entries(change.preset ?? {})) this.#preset(name, text, fill)
    if (change.merge !== undefined) this.#merge(change.merge, fill)
    if (change.args !== undefined) this.#insert(change.args, change.unlessOption, fill)
    if (change.conflict !== undefined && this.#stands(change.conflict)) {
      this.apply(change.conflict.change, endpoint)
    }
  }

  /** Whether the user's own settings say what a conflict is about. */
  #stands({ file, at, is }: Conflict): boolean {
    const folder = this.#env[file.variable]
    const path = folder ? join(folder, file.within) : join(this.#subject.home, file.home)
    let value: JsonValue | undefined = parseSettings(this.#subject.read(path) ?? '')
    for (const name of at) value = member(value, name)
    return value === is
  }

  #set(name: string, text: string, fill: Fill): void {
    this.#env[name] = fill(text)
    this.#done.push(
      text.includes('{token}') ? `set ${name} to the gateway's token` : `set ${name}=${fill(text)}`,
    )
  }

  #preset(name: string, text: PlatformText, fill: Fill): void {
    const own = forPlatform(text, this.#subject.platform)
    if (own !== undefined && !this.#env[name]) this.#set(name, own, fill)
  }

  #unset(name: string): void {
    if (this.#env[name] === undefined) return
    delete this.#env[name]
    this.#done.push(`removed ${name}`)
  }

  #merge({ variable, json }: NonNullable<Change['merge']>, fill: Fill): void {
    const theirs = this.#env[variable]
    const settings = theirs ? parseSettings(theirs) : {}
    if (settings === undefined) {
      this.#problems.push(`${variable} is no JSON object and was left as it is: the gateway is not in it`)
      return
    }
    this.#env[variable] = JSON.stringify(overlay(settings, fillAll(json, fill)))
    this.#done.push(`set ${variable}: ${JSON.stringify(fillAll(json, fill))}`)
  }

  #insert(args: readonly string[], unless: string | undefined, fill: Fill): void {
    const { recipe, at } = this.#recognised
    if (at === undefined) {
      const shown = args.map(fill).join(' ')
      this.#problems.push(
        `a command line in one argument cannot be changed; add to ${recipe.label}: ${shown}`,
      )
      return
    }
    const rest = this.#subject.line.slice(at)
    if (recipe.subcommands?.includes(rest[0] ?? '') === true) return
    if (unless !== undefined && rest.some((each) => each === unless || each.startsWith(`${unless}=`))) return
    this.#args.push(...args.map(fill))
    this.#done.push(`added ${args.map(fill).join(' ')}`)
  }

  #write(file: RecipeFile, fill: Fill): void {
    this.#files.set(file.name, 'text' in file ? fill(file.text) : this.#settings(file, fill))
    this.#done.push(`wrote ${join(this.#subject.folder, file.name)}, which goes with the program`)
  }

  #settings({ json, over }: SettingsFile, fill: Fill): string {
    const path = this.#env[over.variable] || forPlatform(over.path, this.#subject.platform)
    const text = path === undefined ? undefined : this.#subject.read(path)
    const theirs = text === undefined ? {} : parseSettings(text)
    if (theirs === undefined) this.#problems.push(`${path} is no JSON object and does not count for this run`)
    return `${JSON.stringify(overlay(theirs ?? {}, fillAll(json, fill)), null, 2)}\n`
  }
}

type Fill = (text: string) => string
type SettingsFile = Extract<RecipeFile, { readonly json: JsonObject }>

function forPlatform(text: PlatformText, platform: NodeJS.Platform): string | undefined {
  return typeof text === 'string' ? text : text[platform]
}

function fillAll(value: JsonValue, fill: Fill): JsonValue {
  if (typeof value === 'string') return fill(value)
  if (typeof value !== 'object' || value === null) return value
  if (isList(value)) return value.map((each) => fillAll(each, fill))
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, fillAll(each, fill)]))
}

function isList(value: readonly JsonValue[] | JsonObject): value is readonly JsonValue[] {
  return Array.isArray(value)
}
