package ikev1

import (
	"crypto/hmac"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// gssAPI is authentication by a GSS-API mechanism (draft-ietf-ipsec-isakmp-gss-auth-07):
//
//	3  HDR, KE, Ni, GSSi         -->
//	4                            <--  HDR, KE, Nr, GSSr
//	5  HDR*, IDii, Wrap(HASH_I)  -->
//	6                            <--  HDR*, IDir, Wrap(HASH_R)
//
// The hashes cover also the identity names of both SA payloads, if both have one, and the tokens of
// the side that makes them; the names as they are on the wire, which the draft leaves open.
// No token but these two is exchanged, which is what Kerberos with mutual authentication needs;
// a mechanism that needs more is unsupported.
type gssAPI struct {
	sa      *SA
	auth    ike.Auth
	context ike.GSSContext
	reply   []byte // responder: the token that answers the initiator's
	tokens  [2][]byte
}

// Whose token.
const (
	gssInitiator = iota
	gssResponder
)

func (g *gssAPI) side() int {
	if g.sa.initiator {
		return gssInitiator
	}
	return gssResponder
}

func (g *gssAPI) exchange(now time.Time) ([]payload.Payload, error) {
	token := g.reply
	if g.sa.initiator {
		var err error
		if g.context, token, err = g.auth.GSS.Initiate(now, g.sa.choice.GSSName()); err != nil {
			return nil, gssError("beginning a security context", err)
		}
	}
	g.sa.ownID = g.sa.policy.Identity.Payload(g.sa.local.Addr())
	g.tokens[g.side()] = token
	ps, err := g.sa.plainExchange()
	return append(ps, payload.GSSToken{Data: token}), err
}

func (g *gssAPI) receive(now time.Time, m *message) (ke, nonce []byte, err error) {
	if ke, nonce, err = g.sa.plainReceive(m); err != nil {
		return nil, nil, err
	}
	token, _, err := payload.One[payload.GSSToken](m.chain)
	if err != nil {
		return nil, nil, err
	}
	g.tokens[1-g.side()] = token.Data
	if g.sa.initiator {
		err = g.context.Finish(token.Data)
	} else {
		g.context, g.reply, err = g.auth.GSS.Accept(now, g.sa.choice.GSSName(), token.Data)
	}
	if err != nil {
		return nil, nil, gssError("the peer's token", err)
	}
	return ke, nonce, nil
}

// gssError gives a mechanism's error the code of Windows for Kerberos (MS-ERREF, 13827).
func gssError(what string, err error) error {
	if e, ok := err.(*ike.Error); ok {
		return e
	}
	return ike.Errorf(ike.CodeKerberos, payload.NotifyAuthenticationFailed, "%s: %v", what, err)
}

// skeyid is that of signatures.
func (g *gssAPI) skeyid(ni, nr, gxy []byte) ([]byte, error) {
	return g.sa.hash().PRF(append(append([]byte(nil), ni...), nr...), gxy), nil
}

// hash is HASH_I or HASH_R, with what the draft adds.
func (g *gssAPI) hash(side int, own, other []byte, id []byte) []byte {
	sa := g.sa
	i, r := sa.cookies.Initiator, sa.cookies.Responder
	if side == gssResponder {
		i, r = r, i
	}
	parts := [][]byte{own, other, i[:], r[:], sa.sai, id}
	names := [2][]byte{ike.GSSName(g.auth.GSS.Identity()), sa.choice.GSSIdentity}
	if names[1] != nil {
		name := names[0]
		if side != g.side() {
			name = names[1]
		}
		parts = append(parts, name)
	}
	return sa.keys.hash.PRF(sa.keys.skeyid, append(parts, g.tokens[side])...)
}

func (g *gssAPI) prove(time.Time) ([]payload.Payload, error) {
	hash := g.hash(g.side(), g.sa.private.Public(), g.sa.peerKE, payload.Body(g.sa.ownID))
	wrapped, err := g.context.Wrap(hash)
	if err != nil {
		return nil, gssError("wrapping the hash", err)
	}
	return []payload.Payload{g.sa.ownID, payload.Hash{Data: wrapped}}, nil
}

func (g *gssAPI) noise(what string) error {
	return ike.Errorf(ike.CodeAuthFailed, payload.NotifyPayloadMalformed, "%s: it was altered on the way", what)
}

func (g *gssAPI) check(_ time.Time, m *message) error {
	if err := g.sa.takeID(m); err != nil {
		return g.noise("it decrypts to a message without one identity")
	}
	hash, _, err := payload.One[payload.Hash](m.chain)
	if err != nil {
		return g.noise("it decrypts to a message without one hash")
	}
	plain, err := g.context.Unwrap(hash.Data)
	if err != nil || !hmac.Equal(plain, g.hash(1-g.side(), g.sa.peerKE, g.sa.private.Public(), g.sa.claimedBody())) {
		return ike.Errorf(ike.CodeAuthFailed, payload.NotifyAuthenticationFailed, "the peer's hash does not verify")
	}
	return nil
}

func (g *gssAPI) explain(a *trace.Authentication) {
	g.sa.how(a, "HASH", "wrapped in a security context of GSS-API")
	if a.Peer.State == "proved" {
		a.Peer.Explanation = append(a.Peer.Explanation, "the mechanism says that the peer is "+g.context.Peer())
	}
}
