import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import { type JsonObject, JsonReader, parseJson, unexpected } from '../domain/json-reader.js'
import { profileFromJson, profileToJson } from '../domain/profile-codec.js'
import { ProfileStore } from '../domain/profile-store.js'
import { formatTime } from '../domain/rfc3339.js'
import { MAX_EXPORT_BYTES, readText } from './contents.js'
import type { FileContents, NamedSecret } from './draft.js'

const FORMAT = 'keymux-export'
const VERSION = 1

/** A custom provider: its name, and its declaration as the config writes it. */
export interface ExportedProvider {
  readonly name: string
  /** Checked by whoever declares it. */
  readonly declaration: JsonObject
}

/** Everything that an export holds, in the clear. */
export interface ExportContents {
  /** Profiles, what is remembered of their use, and the last good ones. */
  readonly store: ProfileStore
  readonly secrets: readonly NamedSecret[]
  readonly providers: readonly ExportedProvider[]
}

/** An export that was read. */
export interface ReadExport extends ExportContents {
  /** `keymux` for our own export, `devclaw` for a bare profile store of DevClaw. */
  readonly origin: 'keymux' | 'devclaw'
  readonly exportedAt?: Date
}

/**
 * The export as JSON text: `{format, version, exported_at, profiles, secrets, providers, usage_stats?,
 * last_good?}`, profiles in the stored format and in the order of their ids.
 */
export function encodeExport(contents: ExportContents, exportedAt: Date): string {
  const { store, secrets, providers } = contents
  const { usage_stats, last_good } = store.toJSON()
  const document = withoutUndefined({
    format: FORMAT,
    version: VERSION,
    exported_at: formatTime(exportedAt),
    profiles: store.list().map(profileToJson),
    secrets: secrets.map(({ name, value }) => ({ name, value })),
    providers: providers.map(({ name, declaration }) => ({ ...declaration, name })),
    usage_stats,
    last_good,
  })
  return `${JSON.stringify(document, undefined, 2)}\n`
}

/**
 * Reads our own export, or a bare profile store of DevClaw; at most 256 MiB.
 *
 * @throws KeymuxError `invalid_import`, which names the field that is wrong
 */
export function decodeExport(contents: FileContents): ReadExport {
  const document = parseJson(readText(contents, MAX_EXPORT_BYTES))
  const file = new JsonReader(document, '')
  const format = file.optionalText('format')
  if (format === undefined) return readDevclawStore(file, document)
  if (format !== FORMAT) throw file.wrong('format', FORMAT)
  if (file.integer('version', 1) !== VERSION) {
    throw new KeymuxError('invalid_import', `version: expected ${VERSION}`, {
      hint: 'a newer keymux wrote this file; update this one',
    })
  }
  return {
    origin: 'keymux',
    exportedAt: file.time('exported_at'),
    store: readStore(document),
    secrets: readSecrets(document),
    providers: readProviders(document),
  }
}

function readDevclawStore(file: JsonReader, document: unknown): ReadExport {
  if (file.section('profiles') === undefined) {
    const vault = file.section('entries') !== undefined
    throw new KeymuxError(
      'invalid_import',
      'profiles: expected an object',
      vault ? { hint: 'an encrypted vault of DevClaw is imported with keymux import devclaw' } : {},
    )
  }
  return { origin: 'devclaw', store: ProfileStore.fromJSON(document), secrets: [], providers: [] }
}

function readStore(document: unknown): ProfileStore {
  const [usage_stats, last_good] = [ownValue(document, 'usage_stats'), ownValue(document, 'last_good')]
  const store = ProfileStore.fromJSON({ usage_stats, last_good })
  for (const { value, path } of readList(document, 'profiles')) {
    const profile = profileFromJson(value, path)
    if (store.get(profile.id) !== undefined) throw unexpected(`${path}.id`, 'each id once')
    store.set(profile)
  }
  return store
}

function readSecrets(document: unknown): NamedSecret[] {
  return readNamed(document, 'secrets').map(({ name, fields }) => ({ name, value: fields.text('value') }))
}

function readProviders(document: unknown): ExportedProvider[] {
  return readNamed(document, 'providers').map(({ name, value }) => {
    const { name: _name, ...declaration } = value as JsonObject // It was parsed as JSON, and is an object.
    return { name, declaration }
  })
}

/** A list of objects, each with a `name` of its own. */
function readNamed(document: unknown, list: string) {
  const names = new Set<string>()
  return readList(document, list).map(({ value, path }) => {
    const fields = new JsonReader(value, path)
    const name = fields.text('name')
    if (name === '') throw fields.wrong('name', 'a text that is not empty')
    if (names.has(name)) throw fields.wrong('name', 'each name once')
    names.add(name)
    return { name, value, fields }
  })
}

function readList(document: unknown, name: string): { readonly value: unknown; readonly path: string }[] {
  const list = ownValue(document, name)
  if (!Array.isArray(list)) throw unexpected(name, 'a list')
  return list.map((value: unknown, index) => ({ value, path: `${name}[${index}]` }))
}

function ownValue(document: unknown, name: string): unknown {
  return typeof document === 'object' && document !== null
    ? Object.getOwnPropertyDescriptor(document, name)?.value
    : undefined
}
