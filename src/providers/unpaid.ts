import type { UnpaidAnswer } from '../domain/provider.js'

/** HTTP has a status of its own for it (RFC 9110 section 15.5.3), and several of OpenAI's kind use it. */
export const PAYMENT_REQUIRED: UnpaidAnswer = { status: 402, message: 'Insufficient balance' }
