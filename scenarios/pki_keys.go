package scenarios

import (
	"sync"

	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/sim"
)

// A key is a function of the seed, of what it is for and of its kind: worlds that
// ask for the same one share it, since looking for primes takes longer than most
// worlds live.

type keyName struct {
	seed            uint64
	what, name, key string
}

type madeKey struct {
	once sync.Once
	key  pki.PrivateKey
	err  error
}

// maxKeys bounds what is kept.
const maxKeys = 4096

var keys = struct {
	sync.Mutex
	made map[keyName]*madeKey
}{made: map[keyName]*madeKey{}}

// defaultKey is the kind of keys unless a scenario says so: it was usual in 2003.
const defaultKey = "rsa-1024"

// key makes a key of a kind.
func (a *authorities) key(what, name, kind string) (pki.PrivateKey, error) {
	if kind == "" {
		kind = defaultKey
	}
	n := keyName{a.seed, what, name, kind}
	keys.Lock()
	m := keys.made[n]
	if m == nil {
		if m = new(madeKey); len(keys.made) < maxKeys {
			keys.made[n] = m
		}
	}
	keys.Unlock()
	m.once.Do(func() { m.key, m.err = pki.GenerateKey(sim.NewStream(a.seed, "pki", what, name, kind), kind) })
	return m.key, m.err
}
