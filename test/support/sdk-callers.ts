import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'

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

/** The official SDKs of the three dialects. */
export const SDK_CALLERS: readonly SdkCaller[] = [
  {
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
]
