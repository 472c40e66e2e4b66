/*
 * A relay lists its models to anybody: that a check is answered says something of a key only where the same endpoint has
 * refused one that nobody has.
 */

/** What an endpoint did with a made-up key. `unclear`: it did not answer the question. */
export type ProofFound = 'refuses' | 'open' | 'unclear'

/** When an endpoint was last asked with a made-up key, in epoch milliseconds, and what came of it. */
export interface Proof {
  readonly at: number
  /** Absent while the answer is not known, and where whoever asked never told. */
  readonly found?: ProofFound
}

/**
 * What is known of an endpoint: it `refuses` made-up keys; it is `open`; it is to be asked (`ask`); or not yet again
 * (`wait`).
 */
export type ProofState = 'refuses' | 'open' | 'ask' | 'wait'

/** So many endpoints are known at most; the oldest go. */
export const MOST_PROOFS = 256

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** How long each is believed, in milliseconds: an endpoint that answers is asked once a day at most. */
const BELIEVED_MS: Readonly<Record<ProofFound, number>> = {
  refuses: 7 * DAY_MS,
  open: DAY_MS,
  unclear: 60 * MINUTE_MS,
}

/** What is known of an endpoint now. What is in the future is of a clock that was wrong. */
export function proofState(proof: Proof | undefined, nowMs: number): ProofState {
  if (proof === undefined || proof.at > nowMs) return 'ask'
  const { at, found } = proof
  const ageMs = nowMs - at
  // Whoever began to ask may have died meanwhile.
  if (found === undefined) return ageMs < MINUTE_MS ? 'wait' : 'ask'
  if (ageMs >= BELIEVED_MS[found]) return 'ask'
  return found === 'unclear' ? 'wait' : found
}

/** The proofs with one more; the oldest go where there are too many. */
export function withProof(
  proofs: Readonly<Record<string, Proof>>,
  key: string,
  proof: Proof,
): Record<string, Proof> {
  const others = Object.entries(proofs)
    .filter(([name]) => name !== key)
    .sort(([, a], [, b]) => b.at - a.at)
    .slice(0, MOST_PROOFS - 1)
  return Object.fromEntries([...others, [key, proof]])
}
