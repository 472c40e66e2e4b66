import { randomBytes } from 'node:crypto'
import type { VaultHeader } from '../crypto/header.js'
import { decodeHeader, HEADER_FORMAT, sealHeader, verifyHeader } from '../crypto/header.js'
import type { KdfCost } from '../crypto/kdf.js'
import { Keyring } from '../crypto/keyring.js'
import { newKeyset, openKeyset, sealKeyset } from '../crypto/keyset.js'
import { digestHeader, emptyAccumulator, sealManifest } from '../crypto/manifest.js'
import type { SlotSecret } from '../crypto/slot.js'
import { createOpenSlot, openAnySlot } from '../crypto/slots.js'
import { KeymuxError } from '../domain/errors.js'
import type { Clock, Logger } from '../domain/ports.js'
import type { Store, StoreReader } from '../storage/contract.js'
import { AuditLog } from './audit-log.js'
import type { PinStore } from './pin-keeper.js'
import { PinKeeper } from './pin-keeper.js'
import { HEADER_BLOB, MANIFEST_BLOB } from './rows.js'
import { type OwnSlot, type Reopen, SlotKeeper } from './slot-keeper.js'
import { tampered } from './tampered.js'
import { VaultCore } from './vault.js'
import { WriterChain } from './writer-chain.js'

/** What opening and creating have in common. */
export interface OpenParts {
  readonly store: Store
  readonly secret: SlotSecret
  /** Gives the secret once more, where that asks nobody: for a process that cannot follow a rotation otherwise. */
  readonly reopen?: Reopen
  readonly clock: Clock
  /** Who is asking, for the audit: `cli`, `library`, `gateway`, `mcp`. */
  readonly surface: string
  readonly pins?: PinStore | undefined
  readonly logger?: Logger | undefined
  /** Told once, for people, what hinders nobody now and should be put right. */
  readonly notice?: ((text: string) => void) | undefined
  /** The process ends in a moment: it leaves lines of audit, and no chain of its own. Default false. */
  readonly shortLived?: boolean | undefined
  /** Open although the vault looks rolled back or tampered with. */
  readonly lenient?: boolean | undefined
  /** Cost of a new passphrase slot. */
  readonly kdf?: KdfCost | undefined
}

/** An unlocked vault. */
export interface OpenedVault {
  readonly core: VaultCore
  readonly audit: AuditLog
  /** The slot that opened it. */
  readonly slot: SlotKeeper
}

/** Whether the store holds a vault already. @throws KeymuxError `vault_tampered` where it holds one without a header */
export async function hasVault(store: Store): Promise<boolean> {
  return (await readHeader(store)) !== undefined
}

/**
 * The vault's header as stored: which slots there are. Nothing in it is authenticated yet.
 *
 * @throws KeymuxError `vault_not_found`, `vault_corrupt`, `vault_tampered`, `vault_too_new`, `vault_too_old`
 */
export async function inspectVault(store: Store): Promise<VaultHeader> {
  const bytes = await readHeader(store)
  if (bytes === undefined) throw noVault(store)
  return decodeHeader(bytes).header
}

/**
 * Makes a new vault with one slot.
 *
 * @throws KeymuxError `vault_exists`; `vault_tampered` where there is a vault without a header
 */
export async function createVault(parts: OpenParts): Promise<OpenedVault> {
  const now = new Date(Number(parts.clock.now()))
  const rootKey = randomBytes(32)
  const vaultId = randomBytes(16)
  const own = await createOpenSlot(rootKey, vaultId, parts.secret, {
    now,
    ...(parts.kdf && { kdf: parts.kdf }),
  })
  const { slot } = own
  const keys = newKeyset(now)
  const keyset = sealKeyset(rootKey, vaultId, keys)
  const keyring = new Keyring(rootKey, vaultId, keys)
  rootKey.fill(0)
  const header: VaultHeader = {
    format: HEADER_FORMAT,
    vaultId,
    createdAt: now,
    revision: 1,
    keyset,
    slots: [slot],
  }
  const bytes = sealHeader(keyring, header)
  const audit = new AuditLog(keyring, parts.clock, parts.surface, process.pid)
  await parts.store.write(async (tx) => {
    if ((await tx.getBlob(HEADER_BLOB)) !== undefined) {
      throw new KeymuxError('vault_exists', `there is a vault at ${parts.store.location} already`, {
        hint: 'use it, or name another place with --vault',
      })
    }
    // Inside a write the position is that after it.
    await refuseRest(tx, (await tx.cursor()) - 1)
    await tx.putBlob(HEADER_BLOB, bytes)
    await tx.setTerm(keyring.term.number)
    const head = await audit.append(tx, undefined, 'vault_created', slot.id, slot.type)
    const manifest = {
      accumulator: emptyAccumulator(),
      count: 0,
      sequence: 1,
      headerDigest: digestHeader(bytes),
      audit: head,
    }
    await tx.putBlob(MANIFEST_BLOB, sealManifest(keyring, manifest))
    await tx.setTerm(keyring.term.number)
  })
  return started(parts, keyring, header, bytes, audit, own)
}

/**
 * Opens a vault with the secret of one of its slots.
 *
 * @throws KeymuxError `vault_not_found`, `wrong_passphrase`, `wrong_key_file`, `vault_corrupt`,
 * `vault_tampered`, `vault_rolled_back`, `vault_too_new`, `vault_too_old`
 */
export async function openVault(parts: OpenParts): Promise<OpenedVault> {
  const bytes = await readHeader(parts.store)
  if (bytes === undefined) throw noVault(parts.store)
  const decoded = decodeHeader(bytes)
  const { header } = decoded
  if (!header.slots.some((each) => each.type === parts.secret.type))
    throw noSuchSlot(header, parts.secret.type)
  const own = await openAnySlot(header.slots, header.vaultId, parts.secret)
  const { rootKey } = own
  const keyset = openKeyset(rootKey, header.vaultId, header.keyset)
  const keyring = new Keyring(rootKey, header.vaultId, keyset)
  rootKey.fill(0)
  verifyHeader(keyring, decoded)
  const audit = new AuditLog(keyring, parts.clock, parts.surface, process.pid)
  return started(parts, keyring, header, bytes, audit, own)
}

async function started(
  parts: OpenParts,
  keyring: Keyring,
  header: VaultHeader,
  headerBytes: Uint8Array,
  audit: AuditLog,
  own: OwnSlot,
): Promise<OpenedVault> {
  const slot = new SlotKeeper(own, parts.reopen)
  const pins = new PinKeeper(keyring, parts.pins, parts.logger, parts.notice)
  const lenient = parts.lenient === true
  const { store, clock } = parts
  const chain = lenient || parts.shortLived === true ? undefined : new WriterChain(keyring, clock)
  const core = new VaultCore({
    store,
    keyring,
    header,
    headerBytes,
    pins,
    audit,
    slot,
    lenient,
    clock,
    chain,
  })
  return { core, audit, slot }
}

function readHeader(store: Store): Promise<Uint8Array | undefined> {
  return store.read(async (reader) => {
    const bytes = await reader.getBlob(HEADER_BLOB)
    if (bytes === undefined) await refuseRest(reader, await reader.cursor())
    return bytes
  })
}

/**
 * Where there is no header, there is no vault, but maybe what is left of one.
 *
 * @param position how many changes there have been
 */
async function refuseRest(reader: StoreReader, position: number): Promise<void> {
  const left =
    position > 0 ||
    (await reader.getBlob(MANIFEST_BLOB)) !== undefined ||
    (await reader.lastLog()) !== undefined ||
    [await reader.scan(), await reader.scanState(), await reader.chains()].some(({ length }) => length > 0)
  if (left) throw tampered('its header is gone')
}

function noSuchSlot(header: VaultHeader, type: string): KeymuxError {
  const kinds = [...new Set(header.slots.map((slot) => slot.type))].join(', ')
  return new KeymuxError('vault_locked', `the vault does not open with a ${type.replace('_', ' ')}`, {
    hint: `it opens with: ${kinds.replaceAll('_', ' ')}`,
  })
}

function noVault(store: Store): KeymuxError {
  return new KeymuxError('vault_not_found', `there is no vault at ${store.location}`, {
    hint: 'make one with keymux init',
  })
}
