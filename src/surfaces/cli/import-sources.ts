import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isKeymuxError, KeymuxError } from '../../domain/errors.js'
import type { Providers } from '../../domain/providers.js'
import { MAX_FILE_BYTES } from '../../interchange/contents.js'
import type { FileContents, ImportDraft, Importer, ImportResultDraft } from '../../interchange/draft.js'
import { findImporter, IMPORTERS } from '../../interchange/importers.js'
import type { Arrivals } from '../../operations/import.js'
import { addressesOf, meaningsOf } from '../../operations/import-variables.js'
import { readSecretFile } from '../../system/safe-file.js'
import type { CliContext } from './context.js'
import { usageError } from './errors.js'
import { readClient, withClient } from './import-client.js'
import { openSealed, readDevclaw, readExport } from './import-vaults.js'
import type { CommandInput } from './input.js'
import { absolutePath } from './vault-facts.js'

/** Sources that are no other tool's own file. */
const OWN_SOURCES = ['devclaw', 'json', 'age', 'dotenv', 'env'] as const
type OwnSource = (typeof OWN_SOURCES)[number]

/** Every source by name, for help, completion and messages. */
export const SOURCES: readonly string[] = [...OWN_SOURCES, ...IMPORTERS.map(({ name }) => name)]

/** A source that was found, to be read once the providers are known. */
export interface FoundSource {
  /** What it is called in messages: a path, or the source's name. */
  readonly shown: string
  /** @throws KeymuxError `wrong_passphrase`, `invalid_import`, … */
  read(providers: Providers): Promise<Arrivals>
}

/**
 * Finds a source by name, with the path that was given or the tool's own.
 *
 * @throws KeymuxError `usage`, `file_not_found`, …
 */
export async function findSource(
  context: CliContext,
  input: CommandInput,
  name: string,
  path: string | undefined,
): Promise<FoundSource> {
  const importer = findImporter(name)
  const own = OWN_SOURCES.find((each) => each === name)
  if (importer !== undefined) return toolSource(context, input, importer, path)
  if (own !== undefined) return ownSource(context, input, own, path)
  throw usageError('there is no such source to import from', `use one of ${SOURCES.join(', ')}`)
}

async function toolSource(
  context: CliContext,
  input: CommandInput,
  importer: Importer,
  given: string | undefined,
): Promise<FoundSource> {
  const client = readClient(input)
  const path = given === undefined ? defaultPath(context, importer) : absolutePath(context, 'PATH', given)
  const contents = await readFile(context, path)
  const companions: Record<string, FileContents> = {}
  for (const file of importer.companions ?? []) {
    const beside = join(dirname(path), file)
    if (existsSync(beside)) companions[file] = await readFile(context, beside)
  }
  return {
    shown: path,
    async read(providers) {
      const all = providers.list()
      const known = new Set(all.map(({ name }) => name))
      const aliases = new Map(all.flatMap(({ name, aliases = [] }) => aliases.map((one) => [one, name])))
      const takeOver = input.flag('take-over')
      const found = await naming(path, () =>
        importer.parse(contents, { known, aliases, takeOver, companions }),
      )
      return arrivalsOfDrafts(withClient(renamed(found, input.text('name')), client))
    },
  }
}

function defaultPath({ host }: CliContext, importer: Importer): string {
  const paths = importer.defaultPaths(host.home, host.env, host.platform)
  const path = paths.find((each) => existsSync(each))
  if (path !== undefined) return path
  throw new KeymuxError('file_not_found', `${importer.label} has no credentials at ${paths.join(' or ')}`, {
    hint: `name the file: keymux import ${importer.name} PATH`,
  })
}

async function ownSource(
  context: CliContext,
  input: CommandInput,
  source: OwnSource,
  given: string | undefined,
): Promise<FoundSource> {
  const name = input.text('name')
  if (Object.keys(readClient(input)).length > 0)
    throw usageError('--client-id and --client-secret-ref do not go with this source')
  if (source === 'env') {
    if (given !== undefined) throw usageError('the environment has no path')
    const { parseEnvironment } = await import('../../interchange/env.js')
    const read = async (providers: Providers): Promise<Arrivals> =>
      arrivalsOfDrafts(
        parseEnvironment(context.host.env, meaningsOf(providers), name, addressesOf(providers)),
      )
    return { shown: 'the environment', read }
  }
  if (source !== 'dotenv' && name !== undefined) throw usageError('--name does not go with this source')
  if (source !== 'dotenv' && given === undefined)
    throw usageError(`import ${source} wants a file`, `keymux import ${source} PATH`)
  const path = given === '-' ? '-' : absolutePath(context, 'PATH', given ?? '.env')
  const contents = await readFile(context, path)
  const read = (providers: Providers): Promise<Arrivals> =>
    naming(path, () => readOwn(context, input, source, contents, providers))
  return { shown: path, read }
}

async function readOwn(
  context: CliContext,
  input: CommandInput,
  source: Exclude<OwnSource, 'env'>,
  contents: FileContents,
  providers: Providers,
): Promise<Arrivals> {
  switch (source) {
    case 'dotenv': {
      const { parseDotenv } = await import('../../interchange/dotenv.js')
      const addresses = addressesOf(providers)
      return arrivalsOfDrafts(parseDotenv(contents, meaningsOf(providers), input.text('name'), addresses))
    }
    case 'devclaw':
      return readDevclaw(context, input, contents)
    case 'age':
      return readExport(await openSealed(context, input, contents))
    case 'json':
      return readExport(contents)
  }
}

function arrivalsOfDrafts({ drafts, secrets = [], skipped, failed }: ImportResultDraft): Arrivals {
  return { profiles: drafts, secrets, providers: [], skipped, failed }
}

/** Gives the one account of each provider another name. */
function renamed(found: ImportResultDraft, name: string | undefined): ImportResultDraft {
  if (name === undefined) return found
  const seen = new Set<string>()
  const drafts = found.drafts.map((draft): ImportDraft => {
    if (seen.has(draft.provider)) {
      throw usageError(
        `there are several accounts of ${draft.provider}, and --name can name but one`,
        'leave --name out, and use keymux rename afterwards',
      )
    }
    seen.add(draft.provider)
    return { ...draft, name }
  })
  return { ...found, drafts }
}

async function readFile({ host }: CliContext, path: string): Promise<FileContents> {
  if (path !== '-') return readSecretFile(path, { largest: MAX_FILE_BYTES })
  return host.stdin.read(MAX_FILE_BYTES)
}

/** Says which file it was that cannot be read. */
async function naming<T>(path: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!isKeymuxError(error, 'invalid_import')) throw error
    throw new KeymuxError('invalid_import', `${path}: ${error.message}`, {
      hint: error.hint,
      cause: error,
    })
  }
}
