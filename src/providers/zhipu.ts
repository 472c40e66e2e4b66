import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** Zhipu AI (GLM in mainland China). Its keys are not those of Z.AI. It has no free request that proves a key. */
export const zhipu: ProviderMetadata = defineProvider({
  name: 'zhipu',
  label: 'Zhipu AI (GLM)',
  docs: 'https://docs.bigmodel.cn/cn/guide/develop/http/introduction',
  website: 'https://bigmodel.cn/usercenter/proj-mgmt/apikeys',
  baseUrl: 'https://open.bigmodel.cn/api/paas/v4',
  ownBaseUrls: ['https://open.bigmodel.cn/api/coding/paas/v4', 'https://open.bigmodel.cn/api/anthropic'],
  failureFamily: 'zai',
  envKey: 'ZHIPUAI_API_KEY',
  envAliases: ['ZHIPU_API_KEY', 'BIGMODEL_API_KEY'],
  baseUrlEnv: 'ZHIPUAI_BASE_URL',
  aliases: ['zhipuai', 'zhipuai-coding-plan', 'bigmodel'],
})
