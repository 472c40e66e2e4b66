import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/**
 * Qwen on Alibaba Cloud (DashScope), international endpoint. Keys made in mainland China belong to
 * `https://dashscope.aliyuncs.com/compatible-mode/v1`, set as the profile's own base URL.
 */
export const qwen: ProviderMetadata = defineProvider({
  name: 'qwen',
  label: 'Qwen (Alibaba)',
  description: 'Qwen API (Alibaba Cloud)',
  docs: 'https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope',
  modes: ['oauth', 'api_key'],
  envKey: 'QWEN_API_KEY',
  website: 'https://dashscope.aliyun.com/',
  oauthEndpoint: { scopes: ['openid', 'email', 'profile'] },
  baseUrl: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
  failureFamily: 'dashscope',
  ownBaseUrls: ['https://dashscope.aliyuncs.com/compatible-mode/v1'],
  baseUrlAliases: ['DASHSCOPE_BASE_URL', 'DASHSCOPE_HTTP_BASE_URL', 'QWEN_BASE_URL'],
  envAliases: ['DASHSCOPE_API_KEY'],
  check: { method: 'GET', path: '/models' },
  unpaid: {
    status: 400,
    type: 'Arrearage',
    code: 'Arrearage',
    message: 'Access denied: the account is in arrears',
  },
  aliases: ['alibaba', 'dashscope', 'qwen-portal'],
  // Ended on 2026-04-15: https://github.com/QwenLM/qwen-code
  login: {
    status: 'discontinued',
    note: 'Qwen ended its free logins on 2026-04-15; use an API key: keymux add qwen',
    tokenEndpoint: 'https://chat.qwen.ai/api/v1/oauth2/token',
    deviceAuthorizationEndpoint: 'https://chat.qwen.ai/api/v1/oauth2/device/code',
    scopes: ['openid', 'profile', 'email', 'model.completion'],
    preferred: 'device',
    device: { pkce: true },
  },
})
