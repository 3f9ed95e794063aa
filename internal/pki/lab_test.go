package pki

import (
	"bytes"
	"io"
	"math/big"
	"strconv"
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

// purposes are extended usages by name or number.
func purposes(names ...string) (out []OID) {
	for _, n := range names {
		oid, err := ParseExtendedUsage(n)
		if err != nil {
			panic(err)
		}
		out = append(out, oid)
	}
	return out
}

const rootName = "CN=Lab Root, O=Lab"

// pair is a root, changed, and its leaf, with a computer that trusts the root and a rule that names it.
func (c *ca) pair(change ...func(*Template)) (*Authority, *chain) {
	c.t.Helper()
	a := c.root(rootName, "rsa-1024", 1, change...)
	var same []func(*Template)
	for _, f := range change {
		var t Template
		if f(&t); t.Hash != "" {
			same = append(same, f)
		}
	}
	return a, &chain{leaf: c.leaf(a, "CN=hosta.lab.example", "rsa-1024", 2, same...), at: now,
		store: Store{Roots: []*Certificate{a.Certificate}}, rule: Rule{Roots: []Name{a.Certificate.Subject}}}
}

// another is a store of roots that has only one of somebody else.
func (c *ca) another() []*Certificate {
	return []*Certificate{c.root("CN=Another Root", "rsa-1024", 8).Certificate}
}

type threeLevels struct {
	chain
	top, mid *Authority
}

// three has an intermediate, changed, that nobody has yet.
func (c *ca) three(change ...func(*Template)) *threeLevels {
	c.t.Helper()
	a, r := c.pair()
	mid := c.below(a, "CN=Lab Issuing, O=Lab", "rsa-1024", 3, change...)
	r.leaf = c.leaf(mid, "CN=hosta.lab.example", "rsa-1024", 2)
	return &threeLevels{*r, a, mid}
}

// long has a root that limits the path, and intermediates, all sent.
func (c *ca) long(intermediates, limit int) chain {
	c.t.Helper()
	a, r := c.pair(pathLen(limit))
	for i := range intermediates {
		a = c.below(a, "CN=Level "+strconv.Itoa(i), "rsa-1024", byte(10+i))
		r.sent = append(r.sent, a.Certificate)
	}
	r.leaf = c.leaf(a, "CN=hosta.lab.example", "rsa-1024", 2)
	return *r
}

// listed has a list of the root that names another certificate.
func (c *ca) listed(level CRLCheck, change func(*ListTemplate)) chain {
	c.t.Helper()
	a, r := c.pair()
	r.lists, r.rule.CRLCheck = []*RevocationList{c.list(a, change, c.leaf(a, "CN=hostb", "rsa-1024", 2))}, level
	return *r
}

func (c *ca) revoked(level CRLCheck, change func(*ListTemplate)) chain {
	c.t.Helper()
	a, r := c.pair()
	r.lists, r.rule.CRLCheck = []*RevocationList{c.list(a, change, r.leaf)}, level
	return *r
}

// altered has another name in the certificate, and the old signature.
func altered(t testing.TB, c *Certificate) *Certificate {
	t.Helper()
	der := bytes.Replace(c.Raw, []byte("hosta"), []byte("hostb"), 1)
	require.NotEqual(t, c.Raw, der)
	out, err := ParseCertificate(der)
	return must(t, out, err)
}
