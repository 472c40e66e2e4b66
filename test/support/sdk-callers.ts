import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import type { LanguageModel } from 'ai'
import OpenAI from 'openai'
import { aiStream, aiText } from './ai-sdk.js'

/** Where an official SDK is sent, and the key it is given there. */
export interface SdkPlace {
  /** Without the provider: `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly key: string
  /** What follows the URL; the provider's name by default. */
  readonly prefix?: string
}

/** One question asked with an official SDK, plainly or as a stream; gives the text of the answer. */
export interface SdkCaller {
  readonly name: string
  readonly provider: 'openai' | 'anthropic' | 'gemini'
  /** The base URL that a profile of this provider needs at a scripted upstream. */
  upstreamBase(url: string): string
  plain(place: SdkPlace): Promise<string>
  stream(place: SdkPlace): Promise<string>
}

// The SDKs' own retries are off: whatever works must work at the first request.
const NO_RETRY = { maxRetries: 0, timeout: 20_000 } as const

function openai({ url, key, prefix = 'openai' }: SdkPlace): OpenAI {
  return new OpenAI({ ...NO_RETRY, apiKey: key, baseURL: `${url}/${prefix}` })
}

function anthropic({ url, key, prefix = 'anthropic' }: SdkPlace): Anthropic {
  return new Anthropic({ ...NO_RETRY, apiKey: key, baseURL: `${url}/${prefix}` })
}

function gemini({ url, key, prefix = 'gemini' }: SdkPlace): GoogleGenAI {
  return new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: `${url}/${prefix}`, timeout: 20_000 } })
}

function aiOpenAI({ url, key, prefix = 'openai' }: SdkPlace): LanguageModel {
  return createOpenAI({ apiKey: key, baseURL: `${url}/${prefix}` }).chat('gpt-4o')
}

function aiAnthropic({ url, key, prefix = 'anthropic' }: SdkPlace): LanguageModel {
  return createAnthropic({ apiKey: key, baseURL: `${url}/${prefix}/v1` })('claude-next')
}

/** The official SDKs of the three dialects, and Vercel's with its own providers. */
export const SDK_CALLERS: readonly SdkCaller[] = [
  {
    name: 'openai',
    provider: 'openai',
    upstreamBase: (url) => `${url}/v1`,
    async plain(place) {
      const completion = await openai(place).chat.completions.create({
        model: 'gpt-4o',
        messages: [{ role: 'user', content: 'Hello?' }],
      })
      return completion.choices[0]?.message.content ?? ''
    },
    async stream(place) {
      const stream = await openai(place).chat.completions.create({
        model: 'gpt-4o',
        messages: [{ role: 'user', content: 'Hello?' }],
        stream: true,
      })
      let text = ''
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
      return text
    },
  },
  {
    name: '@anthropic-ai/sdk',
    provider: 'anthropic',
    upstreamBase: (url) => url,
    async plain(place) {
      const message = await anthropic(place).messages.create({
        model: 'claude-next',
        max_tokens: 100,
        messages: [{ role: 'user', content: 'Hello?' }],
      })
      return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    },
    async stream(place) {
      const stream = anthropic(place).messages.stream({
        model: 'claude-next',
        max_tokens: 100,
        messages: [{ role: 'user', content: 'Hello?' }],
      })
      return stream.finalText()
    },
  },
  {
    name: '@google/genai',
    provider: 'gemini',
    upstreamBase: (url) => url,
    async plain(place) {
      const answer = await gemini(place).models.generateContent({
        model: 'gemini-2.5-flash',
        contents: 'Hello?',
      })
      return answer.text ?? ''
    },
    async stream(place) {
      const stream = await gemini(place).models.generateContentStream({
        model: 'gemini-2.5-flash',
        contents: 'Hello?',
      })
      let text = ''
      for await (const chunk of stream) text += chunk.text ?? ''
      return text
    },
  },
  {
    name: 'ai, with its provider for openai',
    provider: 'openai',
    upstreamBase: (url) => `${url}/v1`,
    plain: (place) => aiText(aiOpenAI(place)),
    stream: (place) => aiStream(aiOpenAI(place)),
  },
  {
    name: 'ai, with its provider for anthropic',
    provider: 'anthropic',
    upstreamBase: (url) => url,
    plain: (place) => aiText(aiAnthropic(place)),
    stream: (place) => aiStream(aiAnthropic(place)),
  },
]
