import type { ProviderMetadata } from '../domain/provider.js'

/**
 * Qwen on Alibaba Cloud (DashScope), international endpoint. Keys made in mainland China belong to
 * `https://dashscope.aliyuncs.com/compatible-mode/v1`, set as the profile's own base URL.
 */
export const qwen: ProviderMetadata = {
  name: 'qwen',
  label: 'Qwen (Alibaba)',
  description: 'Qwen API (Alibaba Cloud)',
  modes: ['oauth', 'api_key'],
  envKey: 'QWEN_API_KEY',
  website: 'https://dashscope.aliyun.com/',
  oauthEndpoint: { scopes: ['openid', 'email', 'profile'] },
  baseUrl: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
  auth: 'bearer',
  family: 'openai',
  baseUrlAliases: ['DASHSCOPE_BASE_URL', 'DASHSCOPE_HTTP_BASE_URL', 'QWEN_BASE_URL'],
  envAliases: ['DASHSCOPE_API_KEY'],
  check: { method: 'GET', path: '/models' },
}
