import { KeymuxError } from '../domain/errors.js'
import { corrupt } from './bytes.js'

/** What one run of Argon2id costs (RFC 9106). */
export interface KdfCost {
  /** Memory, in KiB. */
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

/** Everything but the passphrase that a derived key depends on. */
export interface KdfParams extends KdfCost {
  /** 8 to 64 bytes; keymux makes 16. */
  readonly salt: Uint8Array
}

/** 64 MiB, 3 passes, 4 lanes: the second recommended option of RFC 9106 section 4. */
export const DEFAULT_KDF_COST: KdfCost = { memoryKib: 64 * 1024, passes: 3, lanes: 4 }
/** The least that is accepted: OWASP's Password Storage Cheat Sheet, 19 MiB and 2 passes. */
export const MIN_KDF_COST: KdfCost = { memoryKib: 19 * 1024, passes: 2, lanes: 1 }
/** The most that is accepted: 1 GiB of memory, and not minutes of work. */
export const MAX_KDF_COST: KdfCost = { memoryKib: 1024 * 1024, passes: 16, lanes: 16 }

/** Length of a new salt, in bytes. */
export const KDF_SALT_BYTES = 16

const ARGON2ID = 2
const VERSION_0X13 = 1

/** Whether the cost lies between {@link MIN_KDF_COST} and {@link MAX_KDF_COST}, in whole numbers. */
export function isKdfCostAllowed(cost: KdfCost): boolean {
  return (['memoryKib', 'passes', 'lanes'] as const).every(
    (key) => Number.isInteger(cost[key]) && cost[key] >= MIN_KDF_COST[key] && cost[key] <= MAX_KDF_COST[key],
  )
}

/**
 * Derives 32 bytes from a passphrase with Argon2id (RFC 9106), off the main thread.
 *
 * A text is taken as its UTF-8 bytes. Whoever calls has brought it into the form that is due: NFC for slots,
 * as typed for the files of DevClaw that share this derivation.
 *
 * Parameters come from a file that anybody may have written, so they are checked before anything is
 * allocated: a header that asks for 4 GiB is an attack on the memory of this machine.
 *
 * @throws KeymuxError `vault_corrupt` for parameters outside the limits
 */
export async function derivePassphraseKey(
  passphrase: string | Uint8Array,
  params: KdfParams,
): Promise<Buffer> {
  const { salt } = params
  if (!isKdfCostAllowed(params) || salt.byteLength < 8 || salt.byteLength > 64) {
    throw corrupt('the key derivation of a slot')
  }
  const bytes = typeof passphrase === 'string' ? Buffer.from(passphrase, 'utf8') : Buffer.from(passphrase)
  try {
    const { hashRaw } = await import('@node-rs/argon2')
    return await hashRaw(bytes, {
      algorithm: ARGON2ID,
      version: VERSION_0X13,
      memoryCost: params.memoryKib,
      timeCost: params.passes,
      parallelism: params.lanes,
      outputLen: 32,
      salt,
    })
  } finally {
    bytes.fill(0)
  }
}

/** @throws KeymuxError `invalid_value` for a cost that {@link derivePassphraseKey} would refuse */
export function requireKdfCost(cost: KdfCost): KdfCost {
  if (isKdfCostAllowed(cost)) return cost
  throw new KeymuxError('invalid_value', 'the cost of the key derivation is outside its limits', {
    hint: 'use 19 MiB to 1 GiB of memory, 2 to 16 passes and 1 to 16 lanes',
  })
}
