import { withoutUndefined } from '../domain/defined.js'
import {
  FAILURE_FAMILIES,
  type FailureFamily,
  type ProviderCheck,
  type ProviderFamily,
  type UnpaidAnswer,
} from '../domain/provider.js'
import { list, MAX_LIST, text } from './fields.js'
import type { Read } from './place.js'

/** One or more parts of a path, without dot segments. */
const PATH_PREFIX = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]{1,64}){1,8}$/
const PATH_NAME = /^[A-Za-z0-9_-]{1,64}$/

export const family: Read<ProviderFamily> = (value, at) => {
  if (value === 'openai' || value === 'anthropic' || value === 'gemini') return value
  throw at.fail('openai, anthropic or gemini')
}

export const failureFamily: Read<FailureFamily> = (value, at) => {
  const known = FAILURE_FAMILIES.find((one) => one === value)
  if (known !== undefined) return known
  throw at.fail(`one of ${FAILURE_FAMILIES.join(', ')}`)
}

/** A part of a path that is put before others, and so ends without a slash. */
export const pathPrefix: Read<string> = (value, at) => {
  if (typeof value === 'string' && PATH_PREFIX.test(value)) return value
  throw at.fail('a path such as /openai/v1, of letters, digits, dots, hyphens and underscores')
}

/** Names that paths begin with. */
export const pathNames: Read<readonly string[]> = (value, at) => {
  const names = list(value, (one) => PATH_NAME.test(one)) ?? []
  if (names.length > 0) return names
  throw at.fail(`a list of 1 to ${MAX_LIST} first parts of paths, such as chat`)
}

export const unpaid: Read<UnpaidAnswer> = (value, at) => {
  const fields = at.object(value, ['status', 'type', 'code', 'message'])
  return withoutUndefined({
    status: fields.required('status', clientError),
    type: fields.optional('type', text),
    code: fields.optional('code', text),
    message: fields.required('message', text),
  })
}

const clientError: Read<number> = (value, at) => {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 400 && value <= 499) return value
  throw at.fail('a status from 400 to 499')
}

export const check: Read<ProviderCheck> = (value, at) => {
  const fields = at.object(value, ['method', 'path', 'tells'])
  return withoutUndefined({
    method: fields.required('method', method),
    path: fields.required('path', path),
    tells: fields.optional('tells', tells),
  })
}

const tells: Read<'credit'> = (value, at) => {
  if (value === 'credit') return value
  throw at.fail('credit, where a good answer also tells that the account can pay')
}

const method: Read<'GET' | 'POST'> = (value, at) => {
  if (value === 'GET' || value === 'POST') return value
  throw at.fail('GET or POST')
}

// The path is appended to the base URL and must not lead out of it.
const path: Read<string> = (value, at) => {
  const sound =
    typeof value === 'string' &&
    /^\/(?!\/)[\x21-\x7e]{0,1023}$/.test(value) &&
    !/[#\\]/.test(value) &&
    !/(?:^|\/)(?:\.|%2e){1,2}(?:[/?]|$)/i.test(value)
  if (sound) return value
  throw at.fail('a path that begins with one slash, without fragment or dot segments')
}
