import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's root. */
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** Every public entry point: the subpath users import, and its source. One line each. */
const LIBRARY = [
  ['.', 'src/index.ts'],
  ['./policy', 'src/entries/policy.ts'],
  ['./vault', 'src/entries/vault.ts'],
  ['./oauth', 'src/entries/oauth.ts'],
  ['./storage/sqlite', 'src/entries/storage-sqlite.ts'],
  ['./storage/postgres', 'src/entries/storage-postgres.ts'],
  ['./storage/memory', 'src/entries/storage-memory.ts'],
  ['./gateway', 'src/entries/gateway.ts'],
  ['./mcp', 'src/entries/mcp.ts'],
  ['./testing', 'src/entries/testing.ts'],
]

/** The command line. */
export const CLI = { command: 'keymux', source: 'src/surfaces/cli/main.ts', output: 'dist/cli.cjs' }

/**
 * Packages that the command line carries in a file of their own, loaded when they are needed: `yaml` is half
 * of all its code, and most calls read no YAML.
 */
export const BESIDE_CLI = ['yaml']

/**
 * Packages that the command line carries inside itself. Loading them from node_modules costs 10 to 50 ms
 * each, and a cold start should pay for what it uses. The library keeps importing them.
 */
export const BUNDLED_IN_CLI = ['commander']

/** The entry points whose sources exist: `{ subpath, source, output, types }`, paths relative to the root. */
export function libraryEntries() {
  return LIBRARY.filter(([, source]) => existsSync(path.join(ROOT, source))).map(([subpath, source]) => {
    const base = source.replace(/^src\//, 'dist/').replace(/\.ts$/, '')
    return { subpath, source, output: `${base}.js`, types: `${base}.d.ts` }
  })
}

/** Whether the command line's source exists. */
export function hasCli() {
  return existsSync(path.join(ROOT, CLI.source))
}

/** What `exports` and `bin` of package.json must say for the entry points that exist. */
export function packageFields() {
  const exports = {}
  for (const { subpath, types, output } of libraryEntries()) {
    exports[subpath] = { types: `./${types}`, default: `./${output}` }
  }
  exports['./package.json'] = './package.json'
  return { exports, bin: hasCli() ? { [CLI.command]: CLI.output } : undefined }
}
