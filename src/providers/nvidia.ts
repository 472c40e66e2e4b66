import type { ProviderMetadata } from '../domain/provider.js'
import { defineProvider } from './define.js'

/** NVIDIA's hosted NIM. Its list of models is public, so it proves no key. */
export const nvidia: ProviderMetadata = defineProvider({
  name: 'nvidia',
  label: 'NVIDIA NIM',
  docs: 'https://docs.api.nvidia.com/nim/reference/llm-apis',
  website: 'https://build.nvidia.com/settings/api-keys',
  baseUrl: 'https://integrate.api.nvidia.com/v1',
  failureFamily: 'openai',
  envKey: 'NVIDIA_API_KEY',
  envAliases: ['NVIDIA_NIM_API_KEY'],
  baseUrlAliases: ['NVIDIA_BASE_URL', 'NVIDIA_NIM_API_BASE'],
  aliases: ['nvidia-nim', 'nvidia_nim', 'nim'],
})
