import { generateText, type LanguageModel, streamText } from 'ai'

// It warns of every model that it does not know, and of its own warnings.
Reflect.set(globalThis, 'AI_SDK_LOG_WARNINGS', false)

const QUESTION = { prompt: 'Hello?', maxRetries: 0 } as const

/** Asks one question with Vercel's AI SDK. */
export async function aiText(model: LanguageModel): Promise<string> {
  return (await generateText({ ...QUESTION, model })).text
}

/** The same as a stream; rejects with what the SDK tells of. */
export async function aiStream(model: LanguageModel): Promise<string> {
  let failure: unknown
  const { textStream } = streamText({
    ...QUESTION,
    model,
    onError: ({ error }) => {
      failure = error
    },
  })
  let text = ''
  for await (const part of textStream) text += part
  if (failure !== undefined) throw failure
  return text
}
