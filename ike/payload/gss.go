package payload

// GSSToken is a token of the GSS-API authentication method, payload type 129 of
// the private range as Windows and racoon number it (draft-ietf-ipsec-isakmp-gss-auth-07).
type GSSToken struct{ Data []byte }

// Type is TypeGSSToken.
func (GSSToken) Type() Type                     { return TypeGSSToken }
func (g GSSToken) appendBody(dst []byte) []byte { return append(dst, g.Data...) }
