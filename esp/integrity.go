package esp

import (
	"crypto/subtle"

	"github.com/ipseclab/ipseclab/internal/suite"
)

// integrity computes the integrity check values of one SA. The zero value has
// no algorithm, and its values are empty.
type integrity struct {
	mac suite.MAC
	len int
	sum [64]byte
}

func newIntegrity(a *suite.Auth, key []byte) (integrity, error) {
	mac, err := a.New(key)
	return integrity{mac: mac, len: a.ICVLen}, err
}

// over is the value over the concatenation of the parts. It is valid until the
// next call.
func (i *integrity) over(parts ...[]byte) []byte {
	if i.mac == nil {
		return nil
	}
	i.mac.Reset()
	for _, p := range parts {
		i.mac.Write(p)
	}
	return i.mac.Sum(i.sum[:0])[:i.len]
}

// setIV gives an algorithm that needs one the IV of the next value.
func (i *integrity) setIV(iv []byte) { i.mac.(suite.NonceMAC).SetIV(iv) }

// equal compares in constant time.
func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
