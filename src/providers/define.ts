import type { FailureFamily, ProviderMetadata } from '../domain/provider.js'

/** What a built-in provider says of itself; what it leaves out is as with most. */
export type ProviderDefinition = Omit<
  ProviderMetadata,
  'description' | 'modes' | 'docs' | 'failureFamily'
> & {
  /** Default: the label and "API". */
  readonly description?: string
  /** Default: API keys. */
  readonly modes?: ProviderMetadata['modes']
  /** The page that says base URL, header, variables and check. Further ones stand in comments. */
  readonly docs: string
  readonly failureFamily: FailureFamily
}

/**
 * A built-in provider: everything that keymux knows of it. Where it says nothing else, it takes API keys as bearer tokens
 * and speaks OpenAI's dialect, without sessions over WebSocket.
 */
export function defineProvider(definition: ProviderDefinition): ProviderMetadata {
  return {
    description: `${definition.label} API`,
    modes: ['api_key'],
    auth: 'bearer',
    family: 'openai',
    realtime: false,
    ...definition,
  }
}
