// Asks OpenAI through keymux: whichever account works now answers, and every failure is reported back.
import { classifyResponse, NoUsableProfileError } from 'keymux'
import OpenAI from 'openai'

/**
 * One question, asked with one account after the other until one can serve it.
 *
 * @param keymux An open handle.
 * @returns The answer, the account that gave it, and those that could not.
 */
export async function ask(keymux, question, model = 'gpt-4o-mini') {
  const failed = []
  for (;;) {
    const { credential, profile } = await keymux.resolver.resolve('openai', undefined, { model })
    const client = new OpenAI({ apiKey: credential, baseURL: profile.baseUrl, maxRetries: 0 })
    try {
      const answer = await client.chat.completions.create({
        model,
        messages: [{ role: 'user', content: question }],
      })
      await keymux.profiles.markSuccess(profile.id, { model })
      return { text: answer.choices[0]?.message.content, profile: profile.id, failed }
    } catch (error) {
      if (!(error instanceof OpenAI.APIError) || error.status === undefined) throw error
      const verdict = classifyResponse({
        provider: 'openai',
        status: error.status,
        headers: error.headers ?? {},
        body: { error: error.error },
        model,
      })
      // The request itself is at fault, or nothing is: another account would say the same.
      if (verdict === undefined || verdict.scope === 'request') throw error
      const { reason, scope, retryAfterMs, message } = verdict
      await keymux.profiles.markFailure(profile.id, reason, {
        message,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        ...(scope === 'credential' ? {} : { model }),
      })
      failed.push({ profile: profile.id, reason })
    }
  }
}

export { NoUsableProfileError }
