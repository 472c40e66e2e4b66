import type { LoginMetadata, LoginStatus } from '../../../domain/login-metadata.js'
import type { ProviderMetadata } from '../../../domain/provider.js'
import { credentialHeader } from '../../../providers/request.js'
import type { Style } from '../style.js'
import { type Column, renderTable } from '../table.js'
import { renderFacts } from './facts.js'

/** A provider, and who declared it. */
export interface KnownProvider {
  readonly provider: ProviderMetadata
  readonly source: 'built-in' | 'config' | 'vault'
  /** Who may log in there; absent where no login is known. */
  readonly login?: Pick<LoginMetadata, 'status' | 'note'>
}

const COLUMNS: readonly Column[] = [
  { header: 'PROVIDER', keep: true },
  { header: 'NAME' },
  { header: 'MODES' },
  { header: 'VARIABLE', droppable: true },
  { header: 'FROM', keep: true, droppable: true },
]

const LOGIN_WORDS: Readonly<Record<LoginStatus, string>> = {
  official: 'open to any program',
  'own-client': 'with an OAuth client of your own',
  'first-party-only': "for the provider's own programs",
  discontinued: 'no more',
  configured: 'with the configured client',
}

/** A provider as JSON has it. */
export function providerToJson({ provider, source }: KnownProvider): Record<string, unknown> {
  const { name, label, description, modes, envKey, website, baseUrl } = provider
  return {
    name,
    label,
    description,
    modes,
    ...(envKey === undefined ? {} : { env_key: envKey }),
    ...(website === undefined ? {} : { website }),
    ...(baseUrl === undefined ? {} : { base_url: baseUrl }),
    custom: source !== 'built-in',
  }
}

/** Providers for people, one a line. */
export function renderProviders(
  known: readonly KnownProvider[],
  { style, width }: { style: Style; width: number | undefined },
): string {
  // Where all are built in, a column that says so of each says nothing.
  const mixed = known.some(({ source }) => source !== 'built-in')
  const rows = known.map(({ provider, source }) => [
    provider.name,
    provider.label,
    provider.modes.join(', '),
    provider.envKey ?? '',
    mixed ? source : '',
  ])
  return renderTable(COLUMNS, rows, { width, header: style.bold })
}

/** Everything about one provider, for people. */
export function renderProvider({ provider, source, login }: KnownProvider, style: Style): string {
  const variables = [provider.envKey, ...(provider.envAliases ?? [])].filter((name) => name !== undefined)
  return [
    style.bold(provider.name),
    renderFacts(
      [
        ['name', provider.label],
        ['about', provider.description],
        ['from', source],
        ['modes', [...new Set([...provider.modes, 'token'])].join(', ')],
        [
          'API',
          provider.baseUrl ?? (provider.baseUrlExample && `one for each account: ${provider.baseUrlExample}`),
        ],
        [
          'key sent as',
          provider.keyless === true ? `${authWords(provider)}; none is needed` : authWords(provider),
        ],
        ['errors as', provider.family],
        ['failures as', provider.failureFamily],
        ['OpenAI API at', provider.compatiblePath],
        ['variables', variables.join(', ')],
        ['token in', provider.tokenEnvKey],
        ['base URL in', provider.baseUrlEnv],
        ['cheap check', provider.check && `${provider.check.method} ${provider.check.path}`],
        ['get a key', provider.website],
        ['documentation', provider.docs],
        ['log in', login && `${LOGIN_WORDS[login.status]}: ${login.note}`],
      ],
      style,
    ),
  ].join('\n')
}

function authWords(provider: ProviderMetadata): string {
  if (provider.auth === undefined || provider.auth === 'bearer') return 'Authorization: Bearer'
  const { header, prefix } = credentialHeader(provider, 'api_key')
  return prefix === undefined ? header : `${header}: ${prefix}`
}
