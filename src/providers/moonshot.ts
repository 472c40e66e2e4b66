import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Moonshot AI (Kimi), international endpoint. Keys made in mainland China belong to `https://api.moonshot.cn/v1`. */
export const moonshot: ProviderMetadata = defineProvider({
  name: 'moonshot',
  label: 'Moonshot AI (Kimi)',
  docs: 'https://platform.kimi.ai/docs/api/overview',
  website: 'https://platform.moonshot.ai/console/api-keys',
  baseUrl: 'https://api.moonshot.ai/v1',
  ownBaseUrls: ['https://api.moonshot.cn/v1'],
  failureFamily: 'openai',
  envKey: 'MOONSHOT_API_KEY',
  envAliases: ['KIMI_API_KEY'],
  baseUrlAliases: ['MOONSHOT_BASE_URL', 'MOONSHOT_API_BASE', 'KIMI_BASE_URL'],
  check: { method: 'GET', path: '/models' },
  aliases: ['moonshotai', 'moonshot-ai', 'moonshotai-cn', 'kimi'],
})
