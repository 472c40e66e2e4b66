import { createHash } from 'node:crypto'

/**
 * What a vault is called where a provider wants to know the place that keymux runs at: made of the vault's id,
 * so that it stays the same for ever, and tells nothing about the machine or the vault (RFC 9562 section 5.8).
 */
export function agentHostId(vaultId: Uint8Array): string {
  const bytes = createHash('sha256').update('keymux agent host\0').update(vaultId).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
  return `urn:uuid:${parts.join('-')}`
}
