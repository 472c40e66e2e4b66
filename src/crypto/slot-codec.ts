import { KeymuxError } from '../domain/errors.js'
import { BOX_OVERHEAD } from './box.js'
import { fromBase64url } from './bytes.js'
import { KEY_BYTES } from './gcm.js'
import { type Fields, instantOf, isFields, textOf } from './json.js'
import type { Slot, SlotParams } from './slot.js'

const ID = /^[0-9a-f]{16}$/
const TYPE = /^[a-z][a-z0-9_]{0,31}$/
const PARAM = /^[a-z][a-z0-9_]{0,31}$/
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u
const MAX_LABEL_CHARACTERS = 64
const MAX_PARAMS = 16
const MAX_PARAM_LENGTH = 256

/** A slot as it stands in the header's JSON. */
export function slotToJson(slot: Slot): Fields {
  return {
    id: slot.id,
    type: slot.type,
    label: slot.label,
    created_at: slot.createdAt.toISOString(),
    stale_binding: slot.staleBinding,
    params: Object.fromEntries(Object.entries(slot.params).sort(([one], [other]) => (one < other ? -1 : 1))),
    public_key: slot.publicKey.toString('base64url'),
    sealed_keys: slot.sealedKeys.toString('base64url'),
    sealed_binding: slot.sealedBinding.toString('base64url'),
    wrapped_root: slot.wrappedRoot.toString('base64url'),
  }
}

/** Reads a slot; `undefined` unless every field is there and within its limits. Looks at no key. */
export function slotFromJson(json: unknown): Slot | undefined {
  if (!isFields(json)) return undefined
  const id = textOf(json.id)
  const type = textOf(json.type)
  const label = textOf(json.label)
  const createdAt = instantOf(json.created_at)
  const params = paramsOf(json.params)
  const publicKey = bytesOf(json.public_key, KEY_BYTES)
  const sealedKeys = bytesOf(json.sealed_keys, BOX_OVERHEAD + 2 * KEY_BYTES)
  const sealedBinding = bytesOf(json.sealed_binding, BOX_OVERHEAD + KEY_BYTES)
  const wrappedRoot = bytesOf(json.wrapped_root, KEY_BYTES + BOX_OVERHEAD + KEY_BYTES)
  if (id === undefined || !ID.test(id) || type === undefined || !TYPE.test(type)) return undefined
  if (json.label !== undefined && (label === undefined || !isLabel(label))) return undefined
  if (json.stale_binding !== undefined && json.stale_binding !== true) return undefined
  if (createdAt === undefined || params === undefined) return undefined
  if (publicKey === undefined || sealedKeys === undefined) return undefined
  if (sealedBinding === undefined || wrappedRoot === undefined) return undefined
  return {
    id,
    type,
    ...(label === undefined ? {} : { label }),
    createdAt,
    ...(json.stale_binding === true ? { staleBinding: true as const } : {}),
    params,
    publicKey,
    sealedKeys,
    sealedBinding,
    wrappedRoot,
  }
}

/** @throws KeymuxError `invalid_value` unless the text can be a slot's label */
export function requireLabel(label: string): string {
  if (isLabel(label)) return label
  throw new KeymuxError('invalid_value', 'the label of a slot is empty, too long or unprintable', {
    hint: `use 1 to ${MAX_LABEL_CHARACTERS} printable characters`,
  })
}

function isLabel(label: string): boolean {
  return (
    label !== '' &&
    label.length <= 4 * MAX_LABEL_CHARACTERS &&
    [...label].length <= MAX_LABEL_CHARACTERS &&
    !UNPRINTABLE.test(label)
  )
}

function paramsOf(json: unknown): SlotParams | undefined {
  if (!isFields(json)) return undefined
  const params: Record<string, string | number> = {}
  const entries = Object.entries(json)
  if (entries.length > MAX_PARAMS) return undefined
  for (const [key, value] of entries) {
    if (!PARAM.test(key)) return undefined
    if (typeof value === 'string' ? value.length > MAX_PARAM_LENGTH : !Number.isSafeInteger(value))
      return undefined
    params[key] = value as string | number
  }
  return params
}

function bytesOf(json: unknown, length: number): Buffer | undefined {
  return typeof json === 'string' ? fromBase64url(json, length) : undefined
}
