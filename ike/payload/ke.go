package payload

// KeyExchange is a Key Exchange payload: a Diffie–Hellman public value, RFC 2408, Section 3.7.
type KeyExchange struct{ Data []byte }

// Type is TypeKE.
func (KeyExchange) Type() Type                     { return TypeKE }
func (k KeyExchange) appendBody(dst []byte) []byte { return append(dst, k.Data...) }

// Bounds of a nonce in bytes, RFC 2409, Section 5.
const (
	MinNonce = 8
	MaxNonce = 256
)

// Nonce is a Nonce payload, RFC 2408, Section 3.13.
type Nonce struct{ Data []byte }

// Type is TypeNonce.
func (Nonce) Type() Type                     { return TypeNonce }
func (n Nonce) appendBody(dst []byte) []byte { return append(dst, n.Data...) }

func parseNonce(b []byte) (Nonce, error) {
	if len(b) < MinNonce || len(b) > MaxNonce {
		return Nonce{}, errorf(NotifyPayloadMalformed, "nonce of %d bytes, not %d to %d", len(b), MinNonce, MaxNonce)
	}
	return Nonce{Data: b}, nil
}

// Hash is a Hash payload, RFC 2408, Section 3.11.
type Hash struct{ Data []byte }

// Type is TypeHash.
func (Hash) Type() Type                     { return TypeHash }
func (h Hash) appendBody(dst []byte) []byte { return append(dst, h.Data...) }
