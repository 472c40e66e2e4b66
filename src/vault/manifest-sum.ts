/**
 * Of a row whose head says nothing that could be true: it is one more than the manifest speaks of, or, where it was one
 * of them, its mark is missing from the sum.
 */
export const NO_MARK = 0n

/** The marks of the rows the manifest covers, and their sum: what the manifest is compared with. */
export class ManifestSum {
  readonly #marks = new Map<string, bigint>()
  #sum = 0n

  get count(): number {
    return this.#marks.size
  }

  /** Sum of all marks modulo 2^128. */
  get sum(): bigint {
    return this.#sum
  }

  get(key: string): bigint | undefined {
    return this.#marks.get(key)
  }

  /** Sets a row's mark, or forgets it. */
  set(key: string, mark: bigint | undefined): void {
    this.#sum = wrap(this.#sum - (this.#marks.get(key) ?? 0n) + (mark ?? 0n))
    if (mark === undefined) this.#marks.delete(key)
    else this.#marks.set(key, mark)
  }

  /** Whether a manifest speaks of exactly these rows. */
  matches(manifest: { readonly accumulator: Uint8Array; readonly count: number }): boolean {
    return manifest.count === this.#marks.size && markNumber(Buffer.from(manifest.accumulator)) === this.#sum
  }

  clear(): void {
    this.#marks.clear()
    this.#sum = 0n
  }
}

/** A number modulo 2^128. */
export function wrap(value: bigint): bigint {
  return BigInt.asUintN(128, value)
}

/** A 16-byte mark as a number. */
export function markNumber(mark: Buffer): bigint {
  return (mark.readBigUInt64BE(0) << 64n) | mark.readBigUInt64BE(8)
}

/** A sum of marks as 16 bytes. */
export function markBytes(sum: bigint): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeBigUInt64BE(sum >> 64n, 0)
  bytes.writeBigUInt64BE(sum & 0xffff_ffff_ffff_ffffn, 8)
  return bytes
}
