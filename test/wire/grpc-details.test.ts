import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plainDetails } from '../../src/wire/grpc-details.ts'

describe('what gRPC says of an error', () => {
  it('is told without what it wraps around it', () => {
    const wrapped: [details: string, plain: string][] = [
      [
        'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ',
        'connect ECONNREFUSED 127.0.0.1:1',
      ],
      [
        'No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1 (2026-11-28T10:00:00.000Z). Resolution note: x',
        'connect ECONNREFUSED 127.0.0.1:1',
      ],
      ['Name resolution failed for target dns:nowhere:1', 'Name resolution failed for target dns:nowhere:1'],
    ]
    for (const [details, plain] of wrapped) assert.equal(plainDetails(details), plain)
  })
})
