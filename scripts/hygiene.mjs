// What must not be in the repository: names of this machine, of its people and of private registries,
// and a lockfile that other machines cannot install from.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { ROOT } from './entries.mjs'

// Home folders in examples belong to nobody.
const EXAMPLE_USERS = new Set(['me', 'you', 'user', 'someone', 'somebody', 'alice', 'bob', 'ada', 'name'])
const HOME = /(?:^|[^\w.])(?:\/home|\/Users|[A-Za-z]:\\+Users)[/\\]+([\w.-]+)/g

const MACHINE_NAMES = findMachineNames()

const problems = [...lockfileProblems(), ...repositoryFiles().flatMap(fileProblems)]
for (const problem of problems) process.stderr.write(`${problem}\n`)
process.exitCode = problems.length === 0 ? 0 : 1

function lockfileProblems() {
  const text = readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')
  const { packages } = JSON.parse(text)
  const found = []
  for (const [folder, entry] of Object.entries(packages)) {
    const where = `package-lock.json: ${folder || 'the package itself'}`
    if ('resolved' in entry) found.push(`${where} names the host it came from`)
    if (folder !== '' && entry.link !== true && entry.integrity === undefined)
      found.push(`${where} has no integrity`)
    // npm leaves a platform's package out when the registry at hand lacks it, and `npm ci` refuses that.
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (resolved(packages, folder, name) === undefined) found.push(`${where} misses its optional ${name}`)
    }
  }
  return found
}

/** The lockfile's entry for what `name` means inside `folder`. */
function resolved(packages, folder, name) {
  for (let at = folder; ; at = at.slice(0, Math.max(at.lastIndexOf('/node_modules/'), 0))) {
    const entry = packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`]
    if (entry !== undefined || at === '') return entry
  }
}

function repositoryFiles() {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  try {
    return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 })
      .split('\0')
      .filter(Boolean)
  } catch {
    process.stderr.write('hygiene: not a git checkout, the files are not searched\n')
    return []
  }
}

function fileProblems(file) {
  let text
  try {
    text = readFileSync(path.join(ROOT, file), 'utf8')
  } catch {
    return []
  }
  const lines = text.split('\n')
  return lines.flatMap((line, index) => lineProblems(line).map((what) => `${file}:${index + 1}: ${what}`))
}

function lineProblems(line) {
  const found = MACHINE_NAMES.filter((name) => mentions(line, name)).map((name) => `names ${name}`)
  for (const [, user] of line.matchAll(HOME)) {
    if (!EXAMPLE_USERS.has(user.toLowerCase())) found.push(`names the home folder of ${user}`)
  }
  return found
}

/** This clone, what lies beside it, and the home folder unless every machine has one like it. */
function findMachineNames() {
  const parent = path.dirname(ROOT)
  const beside = readdirSync(parent).map((name) => path.join(parent, name))
  return [...beside, os.homedir()].filter(
    (folder) => folder !== '/root' && folder !== path.parse(folder).root,
  )
}

function mentions(line, folder) {
  const at = line.indexOf(folder)
  if (at < 0) return false
  const before = at === 0 ? '' : line[at - 1]
  const after = line[at + folder.length] ?? ''
  return !/[\w.:/~-]/.test(before) && /^$|[/\\\s"'`)]/.test(after)
}
