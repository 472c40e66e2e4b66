import {
  createEventSourceResponseHandler,
  createJsonErrorResponseHandler,
  createJsonResponseHandler,
  type FetchFunction,
  postJsonToApi,
} from '@ai-sdk/provider-utils'
import type { LanguageModel } from 'ai'
import { z } from 'zod'

type Model = Extract<LanguageModel, { readonly specificationVersion: 'v3' }>
type Usage = Awaited<ReturnType<Model['doGenerate']>>['usage']
type Part = Awaited<ReturnType<Model['doStream']>>['stream'] extends ReadableStream<infer P> ? P : never

const answer = z.object({ choices: z.array(z.object({ message: z.object({ content: z.string() }) })) })
const chunk = z.object({
  choices: z.array(z.object({ delta: z.object({ content: z.string().optional() }) })),
})
const failure = z.object({ error: z.object({ message: z.string() }) })

const failedResponseHandler = createJsonErrorResponseHandler({
  errorSchema: failure,
  errorToMessage: ({ error }) => error.message,
})
const USAGE: Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
}
const FINISHED = { unified: 'stop', raw: 'stop' } as const

/**
 * A model for Vercel's AI SDK that speaks OpenAI's chat completions with the parts that its own providers
 * are made of, so that it takes a `fetch` and reads failures exactly as they do.
 */
export function aiSdkModel(fetch: FetchFunction, baseUrl = 'https://api.openai.com/v1'): Model {
  const call = {
    url: `${baseUrl}/chat/completions`,
    headers: { authorization: 'Bearer keymux' },
    failedResponseHandler,
    fetch,
  }
  const body = { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello?' }] }
  return {
    specificationVersion: 'v3',
    provider: 'openai',
    modelId: 'gpt-4o',
    supportedUrls: {},
    async doGenerate({ abortSignal }) {
      const { value } = await postJsonToApi({
        ...call,
        body,
        ...(abortSignal === undefined ? {} : { abortSignal }),
        successfulResponseHandler: createJsonResponseHandler(answer),
      })
      const text = value.choices[0]?.message.content ?? ''
      return { content: [{ type: 'text', text }], finishReason: FINISHED, usage: USAGE, warnings: [] }
    },
    async doStream({ abortSignal }) {
      const { value } = await postJsonToApi({
        ...call,
        body: { ...body, stream: true },
        ...(abortSignal === undefined ? {} : { abortSignal }),
        successfulResponseHandler: createEventSourceResponseHandler(chunk),
      })
      const parts = new TransformStream<
        { success: boolean; value?: z.infer<typeof chunk>; error?: unknown },
        Part
      >({
        start: (controller) => {
          controller.enqueue({ type: 'stream-start', warnings: [] })
          controller.enqueue({ type: 'text-start', id: '0' })
        },
        transform: (part, controller) => {
          const delta = part.value?.choices[0]?.delta.content ?? ''
          if (!part.success) controller.enqueue({ type: 'error', error: part.error })
          else if (delta !== '') controller.enqueue({ type: 'text-delta', id: '0', delta })
        },
        flush: (controller) => {
          controller.enqueue({ type: 'text-end', id: '0' })
          controller.enqueue({ type: 'finish', finishReason: FINISHED, usage: USAGE })
        },
      })
      return { stream: value.pipeThrough(parts) }
    },
  }
}
