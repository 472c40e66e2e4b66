import { formsOfSecret } from '../domain/redact.js'

/** Enough for the accounts that take turns. */
const MOST_KNOWN = 64

/** How a credential may appear in a text. */
interface Forms {
  /** As it is, and as JSON writes it. */
  readonly plain: readonly string[]
  /** These, URL-encoded and in base64. */
  readonly all: readonly string[]
}

/**
 * The forms in which credentials may appear in a text: found once, since every answer is searched for them. Holds those
 * of the last 64 credentials, and lives as long as the forwarder whose resolver holds these too.
 */
export class CredentialForms {
  readonly #known = new Map<string, Forms>()

  plainOf(credential: string): readonly string[] {
    return this.#of(credential).plain
  }

  allOf(credential: string): readonly string[] {
    return this.#of(credential).all
  }

  #of(credential: string): Forms {
    const known = this.#known.get(credential)
    if (known !== undefined) return known
    const plain = [...new Set([credential, JSON.stringify(credential).slice(1, -1)])]
    const forms = { plain, all: [...new Set([...plain, ...formsOfSecret(credential)])] }
    const [oldest] = this.#known.size >= MOST_KNOWN ? this.#known.keys() : []
    if (oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(credential, forms)
    return forms
  }
}
