import { type JsonEntry, unexpected } from '../domain/json-reader.js'
import { Collector, type Reading } from './collector.js'
import { readEntries } from './contents.js'
import type { Environment, ImportContext, Importer } from './draft.js'
import { folder, joinPath } from './places.js'
import { knownProvider, UNKNOWN_PROVIDER } from './provider-names.js'

/** The `llm` command: API keys by name. */
export const llm: Importer = {
  name: 'llm',
  label: 'llm',
  defaultPaths: (home, env, platform) => [joinPath(platform, userFolder(home, env, platform), 'keys.json')],
  parse: (contents, context) => {
    const found = new Collector()
    // The tool writes a note for its reader under a key of its own.
    const entries = readEntries(contents).filter(({ key }) => !key.startsWith('//'))
    found.takeEach(entries, (entry) => readKey(entry, context))
    return found.result()
  },
}

function readKey({ key, value, path }: JsonEntry, context: ImportContext): Reading {
  const provider = knownProvider(key, context)
  if (provider === undefined) return UNKNOWN_PROVIDER
  if (typeof value !== 'string') throw unexpected(path, 'a text')
  if (value === '') return { skipped: 'it is empty' }
  const draft = { provider, name: 'llm', mode: 'api_key', secret: value, source: 'llm' } as const
  return { draft, otherwise: `llm-${key}` }
}

function userFolder(home: string, env: Environment, platform: string): string {
  if (env.LLM_USER_PATH) return env.LLM_USER_PATH
  const name = 'io.datasette.llm'
  if (platform === 'win32') {
    return joinPath(platform, folder(env, 'APPDATA', platform, home, 'AppData', 'Roaming'), name)
  }
  if (platform === 'darwin') return joinPath(platform, home, 'Library', 'Application Support', name)
  return joinPath(platform, folder(env, 'XDG_CONFIG_HOME', platform, home, '.config'), name)
}
