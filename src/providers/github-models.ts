import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** GitHub Models, reached with a GitHub token that may read models. It names no free request that proves one. */
export const githubModels: ProviderMetadata = defineProvider({
  name: 'github-models',
  label: 'GitHub Models',
  docs: 'https://docs.github.com/en/rest/models/inference',
  website: 'https://github.com/settings/personal-access-tokens',
  baseUrl: 'https://models.github.ai/inference',
  failureFamily: 'github',
  envKey: 'GITHUB_TOKEN',
})
