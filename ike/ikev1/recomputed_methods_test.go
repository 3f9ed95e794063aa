package ikev1

import (
	"crypto"
	"crypto/cipher"
	"crypto/des"
	//lint:ignore SA1019 a judge of signatures that shares nothing with package pki
	"crypto/dsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/pki"
)

// keyring is a key of our own and that of the peer, which nothing but a name goes with. It implements ike.Certificates.
type keyring struct {
	name             string
	own              pki.PrivateKey
	peer             pki.PublicKey
	ownCert, peerPub []byte
}

func (k *keyring) Requests() [][]byte { return [][]byte{[]byte("authority of " + k.name)} }

func (k *keyring) Own(time.Time, ike.AuthMethod, [][]byte) (ike.Credential, error) {
	return ike.Credential{
		Identity: ike.Identity{Type: payload.IDFQDN, Data: []byte(k.name)}, Key: k.own,
		Chain: []payload.Certificate{{Encoding: payload.CertX509Signature, Data: k.ownCert}},
	}, nil
}

func (k *keyring) Peer(time.Time, ike.AuthMethod, payload.ID, []payload.Certificate) (ike.PublicKey, error) {
	return k.peer, nil
}

func (k *keyring) Known(time.Time, netip.Addr, *payload.ID) (ike.PublicKey, []byte, error) {
	return k.peer, k.peerPub, nil
}

// keyed is two sides that authenticate by a method, and what an onlooker needs of their keys.
func keyed(t *testing.T, method ike.AuthMethod, aggressive bool) (sides [2]*side, keys [2]any) {
	kind := "rsa-1024"
	if method == ike.DSSSignature {
		kind = "dsa-1024"
	}
	var own [2]pki.PrivateKey
	for n, name := range []string{"initiator.example", "responder.example"} {
		var err error
		own[n], err = pki.GenerateKey(rand.NewChaCha8([32]byte{byte(n)}), kind)
		require.NoError(t, err)
		if method == ike.DSSSignature {
			der, err := pki.MarshalPublicKey(own[n].Public())
			require.NoError(t, err)
			keys[n], err = x509.ParsePKIXPublicKey(der)
			require.NoError(t, err)
		} else {
			der, err := pki.MarshalPrivateKey(own[n])
			require.NoError(t, err)
			keys[n], err = x509.ParsePKCS8PrivateKey(der)
			require.NoError(t, err)
		}
		sides[n] = newSide(t, byte(n+1))
		sides[n].policy.Aggressive = aggressive
		sides[n].policy.Auth = []ike.Auth{{Method: method, Certificates: &keyring{name: name, own: own[n], ownCert: []byte("certificate of " + name)}}}
	}
	for n := range sides {
		k, peer := sides[n].policy.Auth[0].Certificates.(*keyring), sides[1-n].policy.Auth[0].Certificates.(*keyring)
		k.peer, k.peerPub = peer.own.Public(), peer.ownCert
	}
	return sides, keys
}

// body is that of the one payload of a type.
func body(t *testing.T, chain []payload.Item, of payload.Type) []byte {
	t.Helper()
	m := &message{chain: chain}
	item, err := m.only(of)
	require.NoError(t, err)
	return item.Body()
}

// The other methods, by an onlooker who has the private keys of both sides, the
// initiator's secret, and crypto/rsa, crypto/dsa, crypto/des and crypto/hmac:
// RFC 2409, Sections 5.1 to 5.3. An RSA signature is of the hash alone, without the
// name of an algorithm, and both hashes are of the offer as the initiator has made it.
func TestMethodsRecomputed(t *testing.T) {
	for _, aggressive := range []bool{false, true} {
		for _, method := range []ike.AuthMethod{ike.RSASignature, ike.DSSSignature, ike.RSAEncryption, ike.RevisedRSAEncryption} {
			t.Run(fmt.Sprint(method, aggressive), func(t *testing.T) { recompute(t, method, aggressive) })
		}
	}
}

func recompute(t *testing.T, method ike.AuthMethod, aggressive bool) {
	sides, keys := keyed(t, method, aggressive)
	i, r := sides[0], sides[1]
	i.policy.Proposals = append(i.policy.Proposals, ike.MainModeProposal{Cipher: "des-cbc", Hash: "md5", Group: 1}) // a hash of the answer is another
	if method.Encryption() && aggressive {
		i.policy.Proposals = i.policy.Proposals[:1] // it cannot offer more
	}
	beginWith(i, r)
	messages := [][]byte{r.sa.heardLast}
	x := i.sa.private
	for to, from := i, r; len(from.out) > 0; to, from = from, to {
		m := from.take()
		messages = append(messages, m)
		to.give(m)
		if x == nil {
			x = i.sa.private
		}
	}
	require.True(t, i.sa.Established())
	require.True(t, r.sa.Established())

	o := &onlooker{t: t, ci: messages[1][:8], cr: messages[1][8:16]}
	values, proofs := 2, 4 // the messages with the initiator's, from 0
	if aggressive {
		values, proofs = 0, 1
	}
	split := func(m []byte) []payload.Item {
		chain, _, err := payload.Split(payload.Type(m[16]), m[payload.HeaderLen:])
		require.NoError(t, err)
		return chain
	}
	o.sai = body(t, split(messages[0]), payload.TypeSA)
	var ids [2][]byte
	for n, v := range []struct{ ke, nonce *[]byte }{{&o.keI, &o.nonceI}, {&o.keR, &o.nonceR}} {
		chain := split(messages[values+n])
		*v.ke, *v.nonce = body(t, chain, payload.TypeKE), body(t, chain, payload.TypeNonce)
		if aggressive {
			ids[n] = body(t, chain, payload.TypeID)
		}
		if !method.Encryption() {
			continue
		}
		open := func(b []byte) []byte {
			//lint:ignore SA1019 RFC 2409, Section 5.2 has no other
			plain, err := rsa.DecryptPKCS1v15(nil, keys[1-n].(*rsa.PrivateKey), b)
			require.NoError(t, err)
			return plain
		}
		*v.nonce = open(*v.nonce)
		sealed := body(t, chain, payload.TypeID)
		if method == ike.RSAEncryption {
			ids[n] = open(sealed)
		} else {
			ne := prf(*v.nonce, [][]byte{o.ci, o.cr}[n])
			k1 := prf(ne, []byte{0})
			block, err := des.NewTripleDESCipher(concat(k1, prf(ne, k1))[:24])
			require.NoError(t, err)
			both := concat(*v.ke, sealed)
			cipher.NewCBCDecrypter(block, make([]byte, 8)).CryptBlocks(both, both)
			unpad := func(b []byte) []byte { return b[:len(b)-1-int(b[len(b)-1])] }
			*v.ke, ids[n] = unpad(both[:len(*v.ke)]), unpad(both[len(*v.ke):])
		}
		if n == 0 {
			sum := sha1.Sum([]byte("certificate of responder.example"))
			require.Equal(t, sum[:], body(t, chain, payload.TypeHash), "HASH(1) is of the certificate whose key is used")
		}
	}
	gxy, err := x.Shared(o.keR)
	require.NoError(t, err)
	if method.Signature() {
		o.skeyid = prf(concat(o.nonceI, o.nonceR), gxy)
	} else {
		sum := sha1.Sum(concat(o.nonceI, o.nonceR))
		o.skeyid = prf(sum[:], o.ci, o.cr)
	}
	o.derive(gxy)

	for n := range 2 {
		m := messages[proofs+n]
		if aggressive {
			m = messages[2-n] // the responder's is the first
		}
		chain := split
		if payload.Flags(m[19])&payload.Encrypted != 0 {
			chain = func(m []byte) []payload.Item { c, _ := o.decrypt(m); return c }
		}
		items := chain(m)
		if !aggressive && method.Signature() {
			ids[n] = body(t, items, payload.TypeID)
		}
		require.Equal(t, "\x02\x00\x00\x00"+[]string{"initiator", "responder"}[n]+".example", string(ids[n]))
		want := prf(o.skeyid, o.keI, o.keR, o.ci, o.cr, o.sai, ids[0])
		if n == 1 {
			want = prf(o.skeyid, o.keR, o.keI, o.cr, o.ci, o.sai, ids[1])
		}
		switch method {
		case ike.RSASignature:
			require.NoError(t, rsa.VerifyPKCS1v15(&keys[n].(*rsa.PrivateKey).PublicKey, crypto.Hash(0), want, body(t, items, payload.TypeSignature)))
		case ike.DSSSignature:
			sig := body(t, items, payload.TypeSignature)
			require.Len(t, sig, 40)
			require.True(t, dsa.Verify(keys[n].(*dsa.PublicKey), want, new(big.Int).SetBytes(sig[:20]), new(big.Int).SetBytes(sig[20:])))
		default:
			require.Equal(t, want, body(t, items, payload.TypeHash))
		}
	}
}
