import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
} from 'node:fs'
import { basename, delimiter, dirname, isAbsolute, join, resolve } from 'node:path'
import type { ProgramFacts } from './recognise.js'
import { splitWords } from './words.js'

// Scripts that start a program are short; a program is not read as one.
const SCRIPT_BYTES = 16_384
const MAX_LINKS = 16

/** What can be learnt of a program from its file, as the child would find it. */
export function programFacts(
  program: string,
  { path, cwd }: { readonly path: string | undefined; readonly cwd: string },
): ProgramFacts | undefined {
  const file = findProgram(program, path, cwd)
  if (file === undefined) return undefined
  const chain = followLinks(file)
  const script = scriptText(file)
  const passesOnTo = script === undefined ? undefined : onlyCommand(script)
  return {
    names: chain.map((each) => basename(each)),
    packages: [...packageOf(chain.at(-1) ?? file), ...(script === undefined ? [] : packagesIn(script))],
    ...(passesOnTo === undefined ? {} : { passesOnTo }),
  }
}

function findProgram(program: string, path: string | undefined, cwd: string): string | undefined {
  if (/[\\/]/.test(program)) return isFile(resolve(cwd, program)) ? resolve(cwd, program) : undefined
  const endings = process.platform === 'win32' ? ['', '.exe', '.cmd', '.bat'] : ['']
  const folders = (path ?? '').split(delimiter).map((folder) => resolve(cwd, folder))
  const candidates = folders.flatMap((folder) => endings.map((ending) => join(folder, program + ending)))
  return candidates.find(canRun) ?? [resolve(cwd, program)].find(isFile)
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function canRun(path: string): boolean {
  if (!isFile(path)) return false
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A path and everything that it leads to over symbolic links of its last part. */
function followLinks(file: string): string[] {
  const chain = [file]
  for (let at = file; chain.length <= MAX_LINKS; chain.push(at)) {
    const target = linkTarget(at)
    if (target === undefined) break
    at = isAbsolute(target) ? target : resolve(dirname(at), target)
  }
  return chain
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

/** The name of the package that a file lies in: the nearest manifest's. */
function packageOf(file: string): string[] {
  for (let folder = dirname(file), last = ''; folder !== last; last = folder, folder = dirname(folder)) {
    try {
      const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      if (manifest instanceof Object && 'name' in manifest) return [String(manifest.name)]
    } catch {
      // None here, or none that can be read.
    }
  }
  return []
}

/** The text of a script; `undefined` for anything else. */
function scriptText(file: string): string | undefined {
  let handle: number | undefined
  try {
    handle = openSync(file, 'r')
    const buffer = Buffer.alloc(SCRIPT_BYTES)
    const text = buffer.toString('utf8', 0, readSync(handle, buffer, 0, SCRIPT_BYTES, 0))
    return text.includes('\0') || !/^(?:#!|@(?:echo|if|setlocal)\b)/i.test(text) ? undefined : text
  } catch {
    return undefined
  } finally {
    if (handle !== undefined) closeSync(handle)
  }
}

/** The packages whose files a script names: what package managers leave where links do not work. */
function packagesIn(script: string): string[] {
  if (!/^(?:#![^\n]*\b(?:sh|bash|dash)\b|@)/.test(script)) return []
  const found = script.matchAll(/node_modules[\\/]((?:@[\w.-]+[\\/])?[\w.-]+)[\\/]/g)
  return [...new Set([...found].map(([, name = '']) => name.replace('\\', '/')))]
}

/** The command of a shell script that hands its own arguments on to it. */
function onlyCommand(script: string): string[] | undefined {
  if (!/^#![^\n]*\b(?:sh|bash|dash|zsh|ksh)\b/.test(script)) return undefined
  const lines = script.split('\n').filter((line) => /^[^#]*\s(?:"\$@"|\$@|\$\*|"\$\{@\}")/.test(line))
  const [line, more] = lines
  if (line === undefined || more !== undefined) return undefined
  const words = splitWords(line)
  const first = words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word))
  return words.slice(Math.max(0, first))
}
