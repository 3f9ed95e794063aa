package pki

import (
	"io"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The time at which tests judge, and the validity that most certificates have.
var (
	now  = time.Date(2005, 3, 30, 12, 0, 0, 0, time.UTC)
	from = now.AddDate(-1, 0, 0)
	to   = now.AddDate(1, 0, 0)
)

// aKey is a key of a kind, made once for all tests.
func aKey(kind string, seed byte) PrivateKey {
	keysLock.Lock()
	defer keysLock.Unlock()
	name := kind + string(rune(seed))
	if keysMade[name] == nil {
		k, err := GenerateKey(stream(seed), kind)
		if err != nil {
			panic(err)
		}
		keysMade[name] = k
	}
	return keysMade[name]
}

var (
	keysLock sync.Mutex
	keysMade = map[string]PrivateKey{}
)

// ca makes what tests need, and fails them when it cannot.
type ca struct {
	t    testing.TB
	rand io.Reader
}

func newCA(t testing.TB) *ca { return &ca{t, stream(42)} }

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	require.NoError(t, err)
	return v
}

func (c *ca) template(name string, change ...func(*Template)) Template {
	t := Template{NotBefore: from, NotAfter: to}
	if name != "" {
		t.Subject = mustName(c.t, name)
	}
	for _, f := range change {
		f(&t)
	}
	return t
}

func (c *ca) root(name, kind string, seed byte, change ...func(*Template)) *Authority {
	c.t.Helper()
	a, err := NewRoot(c.rand, c.template(name, change...), aKey(kind, seed))
	return must(c.t, a, err)
}

func (c *ca) below(a *Authority, name, kind string, seed byte, change ...func(*Template)) *Authority {
	c.t.Helper()
	b, err := a.NewAuthority(c.rand, c.template(name, change...), aKey(kind, seed))
	return must(c.t, b, err)
}

func (c *ca) leaf(a *Authority, name, kind string, seed byte, change ...func(*Template)) *Certificate {
	c.t.Helper()
	l, err := a.Issue(c.rand, c.template(name, change...), aKey(kind, seed).Public())
	return must(c.t, l, err)
}

func (c *ca) list(a *Authority, change func(*ListTemplate), revoked ...*Certificate) *RevocationList {
	c.t.Helper()
	t := ListTemplate{Number: 1, ThisUpdate: now.AddDate(0, 0, -1), NextUpdate: now.AddDate(0, 0, 6)}
	for _, r := range revoked {
		t.Entries = append(t.Entries, Revocation{Serial: r.Serial, At: now.AddDate(0, 0, -2), Reason: KeyCompromise})
	}
	if change != nil {
		change(&t)
	}
	l, err := a.IssueList(t)
	return must(c.t, l, err)
}

func signedWith(h string) func(*Template) { return func(t *Template) { t.Hash = h } }
func usage(u KeyUsage) func(*Template)    { return func(t *Template) { t.Usage = u } }
func version1(t *Template)                { t.Version1 = true }
func until(at time.Time) func(*Template)  { return func(t *Template) { t.NotAfter = at } }
func since(at time.Time) func(*Template)  { return func(t *Template) { t.NotBefore = at } }
func serial(n int64) func(*Template)      { return func(t *Template) { t.Serial = big.NewInt(n) } }
func pathLen(n int) func(*Template) {
	return func(t *Template) { t.Authority = &BasicConstraints{true, n} }
}
func notAuthority(t *Template) { t.Authority = &BasicConstraints{false, -1} }
func extension(e Extension) func(*Template) {
	return func(t *Template) { t.Extensions = append(t.Extensions, e) }
}
