import { withoutUndefined } from '../domain/defined.js'
import type { ProfileId } from '../domain/ids.js'
import type { AuthMode } from '../domain/profile.js'
import { usageFromJson, usageToJson } from '../domain/profile-codec.js'
import type { FailureReason } from '../domain/usage.js'
import type { ProfileState, RefreshState, StateChange, StateKey, StateValues, WriterUse } from './backend.js'
import { type QuotaStateJson, quotaFromJson, quotaToJson } from './quota-codec.js'
import type { ProfileMeta, ProfileSecrets } from './record.js'
import type { Segment } from './segments.js'

/*
 * What is inside sealed rows. These bytes are authentic when they are read (only a holder of the vault's key
 * can have written them), so decoding trusts their shape. Fields are short because ten thousand of them are
 * parsed when a vault is opened; docs/storage-schema.md lists them.
 */

interface MetaJson {
  id: ProfileId
  uid: string
  m: AuthMode
  p?: number
  off?: 1
  c: number
  u: number
  s?: 1
  r?: 1
  ref?: string
  exp?: number
  iat?: number
  gen?: number
  rep?: number
  email?: string
  cid?: string
  csr?: string
  sc?: readonly string[]
  md?: Readonly<Record<string, string>>
  ln?: 1
  acc?: string
  mod?: readonly string[]
  url?: string
  pool?: string
  con?: number
  w?: number
  hd?: Readonly<Record<string, string>>
  px?: string
}

export function encodeMeta(meta: ProfileMeta): Buffer {
  const json: MetaJson = withoutUndefined({
    id: meta.id,
    uid: meta.uid,
    m: meta.mode,
    p: meta.priority === 0 ? undefined : meta.priority,
    off: meta.enabled ? undefined : (1 as const),
    c: meta.createdAt,
    u: meta.updatedAt,
    s: meta.hasSecret ? (1 as const) : undefined,
    r: meta.hasRefresh ? (1 as const) : undefined,
    ref: meta.reference,
    exp: meta.expiresAt,
    iat: meta.issuedAt,
    gen: meta.generation,
    rep: meta.replacedAt,
    email: meta.email,
    cid: meta.clientId,
    csr: meta.clientSecretRef,
    sc: meta.scopes,
    md: meta.metadata,
    ln: meta.loginNeeded === true ? (1 as const) : undefined,
    acc: meta.account,
    mod: meta.models,
    url: meta.baseUrl,
    pool: meta.pool,
    con: meta.concurrency,
    w: meta.weight,
    hd: meta.headers,
    px: meta.proxy,
  })
  return Buffer.from(JSON.stringify(json))
}

export function decodeMeta(bytes: Buffer): ProfileMeta {
  const json = JSON.parse(bytes.toString()) as MetaJson
  const meta: { -readonly [K in keyof ProfileMeta]: ProfileMeta[K] } = {
    id: json.id,
    uid: json.uid,
    mode: json.m,
    priority: json.p ?? 0,
    enabled: json.off !== 1,
    createdAt: json.c,
    updatedAt: json.u,
    hasSecret: json.s === 1,
    hasRefresh: json.r === 1,
  }
  if (json.ref !== undefined) meta.reference = json.ref
  if (json.exp !== undefined) meta.expiresAt = json.exp
  if (json.iat !== undefined) meta.issuedAt = json.iat
  if (json.gen !== undefined) meta.generation = json.gen
  if (json.rep !== undefined) meta.replacedAt = json.rep
  if (json.email !== undefined) meta.email = json.email
  if (json.cid !== undefined) meta.clientId = json.cid
  if (json.csr !== undefined) meta.clientSecretRef = json.csr
  if (json.sc !== undefined) meta.scopes = json.sc
  if (json.md !== undefined) meta.metadata = json.md
  if (json.ln === 1) meta.loginNeeded = true
  if (json.acc !== undefined) meta.account = json.acc
  if (json.mod !== undefined) meta.models = json.mod
  if (json.url !== undefined) meta.baseUrl = json.url
  if (json.pool !== undefined) meta.pool = json.pool
  if (json.con !== undefined) meta.concurrency = json.con
  if (json.w !== undefined) meta.weight = json.w
  if (json.hd !== undefined) meta.headers = json.hd
  if (json.px !== undefined) meta.proxy = json.px
  return meta
}

export function encodeSecrets(secrets: ProfileSecrets): Buffer | undefined {
  return Object.keys(secrets).length === 0 ? undefined : Buffer.from(JSON.stringify(secrets))
}

export function decodeSecrets(bytes: Buffer | undefined): ProfileSecrets {
  return bytes === undefined ? {} : (JSON.parse(bytes.toString()) as ProfileSecrets)
}

/** How each kind is called in the name of a row, and in the row. */
const KINDS = {
  use: { name: 'profile', tag: 'p' },
  refresh: { name: 'refresh', tag: 'r' },
  account: { name: 'account', tag: 'a' },
  last_good: { name: 'last_good', tag: 'g' },
  writer: { name: 'writer', tag: 'w' },
  owners: { name: 'owners', tag: 'o' },
  conversations: { name: 'conversations', tag: 'c' },
  proofs: { name: 'proofs', tag: 'h' },
  quota: { name: 'quota', tag: 'q' },
  refusals: { name: 'refusals', tag: 'x' },
} as const

/** The name a row of state is filed under; its row id is derived from it. */
export function stateRowName({ kind, key }: StateKey): string {
  return `${KINDS[kind].name}\u0000${key}`
}

/**
 * What is forgotten leaves its row empty: a row that is made anew where one was deleted begins to count its revisions
 * again once nobody remembers the deletion.
 */
export function encodeState(change: StateChange): Buffer {
  const { kind, key, value } = change
  const { tag } = KINDS[kind]
  switch (kind) {
    case 'use':
      return jsonBuffer({
        k: tag,
        uid: key,
        st: value && usageToJson(value.stats),
        e: value?.lastError,
        ea: value?.lastErrorAt?.getTime(),
        au: value?.auditedUses,
      })
    case 'refresh':
      return jsonBuffer({ k: tag, uid: key, ...(value && refreshToJson(value)) })
    case 'account':
      return jsonBuffer({ k: tag, key, st: value && usageToJson(value) })
    case 'last_good':
      return jsonBuffer({ k: tag, pr: key, uid: value ?? '' })
    case 'writer':
      return jsonBuffer({ k: tag, key, wa: value?.at, us: value?.usedAt, tu: value?.turns })
    case 'owners':
    case 'conversations':
    case 'refusals':
      return jsonBuffer({ k: tag, key, u: value?.uids, en: value?.entries })
    case 'proofs':
      return jsonBuffer({ k: tag, key, pf: value })
    case 'quota':
      return jsonBuffer({ k: tag, key, ...(value && quotaToJson(value)) })
  }
}

/** `undefined` for a kind that this version does not know. */
export function decodeState(bytes: Buffer): StateChange | undefined {
  const json = JSON.parse(bytes.toString()) as StateJson
  switch (json.k) {
    case 'p':
      return { kind: 'use', key: json.uid, value: useFromJson(json) }
    case 'r':
      return { kind: 'refresh', key: json.uid, value: refreshFromJson(json) }
    case 'a':
      return { kind: 'account', key: json.key, value: json.st && usageFromJson(json.st, 'state') }
    case 'g':
      return { kind: 'last_good', key: json.pr, value: json.uid === '' ? undefined : json.uid }
    case 'w':
      return { kind: 'writer', key: json.key, value: writerFromJson(json) }
    case 'o':
      return { kind: 'owners', key: json.key, value: segmentFromJson(json) }
    case 'c':
      return { kind: 'conversations', key: json.key, value: segmentFromJson(json) }
    case 'h':
      return { kind: 'proofs', key: json.key, value: json.pf }
    case 'q':
      return { kind: 'quota', key: json.key, value: quotaFromJson(json) }
    case 'x':
      return { kind: 'refusals', key: json.key, value: segmentFromJson(json) }
    default:
      return undefined
  }
}

function writerFromJson({ wa: at = 0, us: usedAt, tu: turns }: StateJson): WriterUse | undefined {
  return usedAt && withoutUndefined({ at, usedAt, turns })
}

function segmentFromJson({ u: uids, en: entries }: StateJson): Segment | undefined {
  return uids === undefined || entries === undefined ? undefined : { uids, entries }
}

interface StateJson extends RefreshJson, QuotaStateJson {
  readonly k: string
  readonly uid: string
  readonly key: string
  readonly pr: string
  readonly st?: object
  readonly e?: string
  readonly ea?: number
  readonly au?: Readonly<Record<string, number>>
  readonly wa?: number
  readonly us?: Readonly<Record<string, number>>
  readonly tu?: Readonly<Record<string, number>>
  readonly u?: readonly string[]
  readonly en?: string
  readonly pf?: StateValues['proofs']
}

function useFromJson({ st, e, ea, au }: StateJson): ProfileState | undefined {
  if (st === undefined) return undefined
  return withoutUndefined({
    stats: usageFromJson(st, 'state'),
    lastError: e,
    lastErrorAt: ea === undefined ? undefined : new Date(ea),
    auditedUses: au,
  })
}

interface RefreshJson {
  /** Digest, start and deadline of an attempt. */
  at?: readonly [string, number, number]
  /** Failures in a row, end and reason of a backoff. */
  bo?: readonly [number, number, FailureReason]
}

function refreshToJson({ attempt, backoff }: RefreshState): RefreshJson {
  return withoutUndefined({
    at: attempt && ([attempt.digest, attempt.startedAt.getTime(), attempt.deadlineAt.getTime()] as const),
    bo: backoff && ([backoff.failures, backoff.until.getTime(), backoff.reason] as const),
  })
}

function refreshFromJson({ at, bo }: RefreshJson): RefreshState | undefined {
  if (at === undefined && bo === undefined) return undefined
  return withoutUndefined({
    attempt: at && { digest: at[0], startedAt: new Date(at[1]), deadlineAt: new Date(at[2]) },
    backoff: bo && { failures: bo[0], until: new Date(bo[1]), reason: bo[2] },
  })
}

function jsonBuffer(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}
