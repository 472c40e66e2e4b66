import { describe, expect, it } from 'vitest'
import { formsOfSecret } from '../domain/redact.js'
import { CredentialForms } from './credential-forms.js'

describe('the forms of credentials', () => {
  it('are the plain ones, as JSON writes them too, and all others', () => {
    const forms = new CredentialForms()
    expect(forms.plainOf('a"quoted"key')).toEqual(['a"quoted"key', 'a\\"quoted\\"key'])
    expect(forms.plainOf('sk-plain')).toEqual(['sk-plain'])
    expect(new Set(forms.allOf('sk-plain key'))).toEqual(new Set(formsOfSecret('sk-plain key')))
  })

  it('hold one with space around it as it is sent', () => {
    expect(new CredentialForms().allOf(' sk-spaced ')).toContain(' sk-spaced ')
  })

  it('are the same for a credential that many others have taken turns with', () => {
    const forms = new CredentialForms()
    const first = forms.allOf('sk-number-0')
    expect(forms.allOf('sk-number-0')).toBe(first)
    for (let count = 1; count <= 64; count += 1) forms.allOf(`sk-number-${count}`)
    expect(forms.allOf('sk-number-0')).not.toBe(first)
    expect(forms.allOf('sk-number-0')).toEqual(first)
  })
})
