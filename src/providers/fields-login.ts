import { withoutUndefined } from '../domain/defined.js'
import {
  type ClientRegistration,
  type DeviceDialect,
  LOGIN_STATUSES,
  type LoginMetadata,
} from '../domain/login-metadata.js'
import { boolean, endpoint, MAX_LIST, scopes, text } from './fields.js'
import type { Read } from './place.js'

/** How logins at a provider work. */
export const login: Read<LoginMetadata> = (value, at) => {
  const fields = at.object(value, LOGIN_KEYS)
  return withoutUndefined({
    status: fields.required('status', oneOf(LOGIN_STATUSES)),
    note: fields.required('note', text),
    issuer: fields.optional('issuer', endpoint),
    authorizationEndpoint: fields.optional('authorizationEndpoint', endpoint),
    tokenEndpoint: fields.optional('tokenEndpoint', endpoint),
    deviceAuthorizationEndpoint: fields.optional('deviceAuthorizationEndpoint', endpoint),
    revocationEndpoint: fields.optional('revocationEndpoint', endpoint),
    accountEndpoint: fields.optional('accountEndpoint', endpoint),
    scopes: fields.optional('scopes', scopes),
    authorizationFields: fields.optional('authorizationFields', texts),
    tokenFields: fields.optional('tokenFields', texts),
    callbackPath: fields.optional('callbackPath', text),
    registration: fields.optional('registration', registration),
    neededScope: fields.optional('neededScope', text),
    yields: fields.optional('yields', oneOf(['api_key'])),
    keyPage: fields.optional('keyPage', endpoint),
    asksForSecret: fields.optional('asksForSecret', boolean),
    preferred: fields.optional('preferred', oneOf(['device'])),
    device: fields.optional('device', device),
  })
}

const LOGIN_KEYS = [
  'status',
  'note',
  'issuer',
  'authorizationEndpoint',
  'tokenEndpoint',
  'deviceAuthorizationEndpoint',
  'revocationEndpoint',
  'accountEndpoint',
  'scopes',
  'authorizationFields',
  'tokenFields',
  'callbackPath',
  'registration',
  'neededScope',
  'yields',
  'keyPage',
  'asksForSecret',
  'preferred',
  'device',
] as const

const registration: Read<ClientRegistration> = (value, at) => {
  const fields = at.object(value, ['entry', 'fields', 'hostField'])
  return {
    entry: fields.required('entry', text),
    fields: fields.required('fields', texts),
    hostField: fields.required('hostField', text),
  }
}

const device: Read<DeviceDialect> = (value, at) => {
  const fields = at.object(value, [
    'grantType',
    'pollsWith',
    'pkce',
    'fields',
    'state',
    'statusField',
    'intervalUnit',
  ])
  return withoutUndefined({
    grantType: fields.optional('grantType', text),
    pollsWith: fields.optional('pollsWith', oneOf(['device_code', 'user_code'])),
    pkce: fields.optional('pkce', boolean),
    fields: fields.optional('fields', texts),
    state: fields.optional('state', boolean),
    statusField: fields.optional('statusField', text),
    intervalUnit: fields.optional('intervalUnit', oneOf(['milliseconds'])),
  })
}

const texts: Read<Readonly<Record<string, string>>> = (value, at) => {
  const wrong = `an object of at most ${MAX_LIST} names and texts`
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw at.fail(wrong)
  const entries = Object.entries(value).map(([name, one]): [string, string] => [name, text(one, at)])
  if (entries.length > MAX_LIST) throw at.fail(wrong)
  return Object.fromEntries(entries)
}

function oneOf<const T extends string>(values: readonly T[]): Read<T> {
  return (value, at) => {
    const known = values.find((one) => one === value)
    if (known !== undefined) return known
    throw at.fail(values.join(' or '))
  }
}
