import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** GitHub Copilot, reached with a GitHub token. The variable is the one its own command line looks at first. */
export const githubCopilot: ProviderMetadata = defineProvider({
  name: 'github-copilot',
  label: 'GitHub Copilot',
  description: 'GitHub Copilot API',
  docs: 'https://docs.github.com/en/copilot',
  modes: ['oauth'],
  envKey: 'COPILOT_GITHUB_TOKEN',
  website: 'https://github.com/settings/copilot',
  oauthEndpoint: {
    authUrl: 'https://github.com/login/oauth/authorize',
    tokenUrl: 'https://github.com/login/oauth/access_token',
    scopes: ['read:user'],
  },
  baseUrl: 'https://api.githubcopilot.com',
  failureFamily: 'github',
  check: { method: 'GET', path: '/models' },
  aliases: ['github-copilot-enterprise'],
  // https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
  login: {
    status: 'own-client',
    note: 'make an OAuth app with device flow at github.com/settings/developers; Copilot may refuse its tokens',
    authorizationEndpoint: 'https://github.com/login/oauth/authorize',
    tokenEndpoint: 'https://github.com/login/oauth/access_token',
    deviceAuthorizationEndpoint: 'https://github.com/login/device/code',
    accountEndpoint: 'https://api.github.com/user',
    scopes: ['read:user', 'user:email'],
    preferred: 'device',
  },
})
