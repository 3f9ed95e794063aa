package scep

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/pki"
)

var now = time.Date(2005, 3, 30, 12, 0, 0, 0, time.UTC)

func stream(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

var keys = map[byte]pki.PrivateKey{}

// aKey is the RSA key of a seed; looking for primes takes long.
func aKey(t testing.TB, seed byte) pki.PrivateKey {
	if keys[seed] == nil {
		k, err := pki.GenerateKey(stream(seed), "rsa-1024")
		require.NoError(t, err)
		keys[seed] = k
	}
	return keys[seed]
}

func name(t testing.TB, text string) pki.Name {
	n, err := pki.ParseName(text)
	require.NoError(t, err)
	return n
}

// bench is an authority with its server, and a device.
type bench struct {
	t         testing.TB
	authority *pki.Authority
	server    *Server
	rand      io.Reader // of the device
}

func newBench(t testing.TB, change func(*ServerConfig)) *bench {
	root, err := pki.NewRoot(stream(1), pki.Template{
		Subject: name(t, "CN=Lab Root, O=Lab"), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0),
	}, aKey(t, 1))
	require.NoError(t, err)
	list, err := root.IssueList(pki.ListTemplate{Number: 1, ThisUpdate: now, NextUpdate: now.AddDate(0, 1, 0)})
	require.NoError(t, err)
	c := ServerConfig{Rand: stream(2), Authority: root, List: list, Challenge: "7D0E1A6A2C0D8A4B"}
	if change != nil {
		change(&c)
	}
	server, err := NewServer(c)
	require.NoError(t, err)
	return &bench{t, root, server, stream(3)}
}

// registrar is a registration authority with these usages.
func (b *bench) registrar(subject string, seed byte, u pki.KeyUsage) pki.Own {
	c, err := b.authority.Issue(stream(seed), pki.Template{
		Subject: name(b.t, subject), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0), Usage: u,
	}, aKey(b.t, seed).Public())
	require.NoError(b.t, err)
	return pki.Own{Certificate: c, Key: aKey(b.t, seed)}
}

func (b *bench) authorities() Authorities {
	r := b.server.Serve(now, GetCACert, []byte("lab"))
	require.Equal(b.t, 200, r.Status)
	a, err := ParseAuthorities(r.Type, r.Body)
	require.NoError(b.t, err)
	return a
}

// device is a requester that has asked what the server can.
func (b *bench) device(challenge string, seed byte, renew *pki.Own) *Requester {
	var caps Capabilities
	if r := b.server.Serve(now, GetCACaps, nil); r.Status == 200 {
		caps = ParseCapabilities(r.Body)
	}
	t := pki.Template{Subject: name(b.t, "CN=router.lab.example, O=Lab"), AltNames: pki.AltNames{DNS: []string{"router.lab.example"}}}
	r, err := NewRequester(b.rand, now, b.authorities(), caps, t, challenge, aKey(b.t, seed), renew)
	require.NoError(b.t, err)
	return r
}

// ask has the server answer what the device says, at a time.
func (b *bench) ask(r *Requester, at time.Time, say func(io.Reader) ([]byte, error)) (Answer, Exchange) {
	der, err := say(b.rand)
	require.NoError(b.t, err)
	reply := b.server.Serve(at, PKIOperation, der)
	require.Equal(b.t, 200, reply.Status, "%s", reply.Body)
	a, err := r.Answer(reply.Body)
	require.NoError(b.t, err)
	return a, reply.What
}

// A device gets its certificate, and can ask for it again, for the list, and for another certificate.
func TestEnrolment(t *testing.T) {
	for title, change := range map[string]func(*ServerConfig){
		"as in 2001":            nil,
		"with all capabilities": func(c *ServerConfig) { c.Announced = AllCapabilities },
		"without a challenge":   func(c *ServerConfig) { c.Challenge = "" },
	} {
		t.Run(title, func(t *testing.T) {
			b := newBench(t, change)
			d := b.device("7D0E1A6A2C0D8A4B", 4, nil)
			a, what := b.ask(d, now, d.Enrol)
			require.Equal(t, Success, a.Status)
			require.Equal(t, "CN=router.lab.example,O=Lab", a.Certificate.Subject.String())
			require.Equal(t, []string{"router.lab.example"}, a.Certificate.AltNames.DNS)
			require.True(t, pki.SameKey(a.Certificate.Key, aKey(t, 4).Public()))
			require.Equal(t, now.Add(-10*time.Minute), a.Certificate.NotBefore)
			require.Equal(t, Exchange{PKIOperation, PKCSReq, d.Transaction, Success, "CN=router.lab.example,O=Lab", a.Certificate.Serial.Text(16), ""}, what)

			again, _ := b.ask(d, now.Add(time.Hour), d.Enrol)
			require.Equal(t, a.Certificate, again.Certificate, "the answer was lost")

			own := pki.Own{Certificate: a.Certificate, Key: aKey(t, 4)}
			reader, err := NewReader(b.rand, d.Authorities, d.Capabilities, own)
			require.NoError(t, err)
			l, _ := b.ask(reader, now, func(r io.Reader) ([]byte, error) { return reader.List(r, a.Certificate) })
			require.Equal(t, []*pki.RevocationList{b.server.List}, l.Lists)
			c, _ := b.ask(reader, now, func(r io.Reader) ([]byte, error) { return reader.Certificate(r, a.Certificate) })
			require.Equal(t, a.Certificate, c.Certificate)
			none, what := b.ask(reader, now, func(r io.Reader) ([]byte, error) { return reader.Certificate(r, b.authority.Certificate) })
			require.Equal(t, Answer{Status: Failure, Fail: BadCertID}, none)
			require.Contains(t, what.Reason, "badCertId: no certificate has the serial number")
		})
	}
}

// An administrator decides after a while, for or against.
func TestPending(t *testing.T) {
	for _, deny := range []bool{false, true} {
		b := newBench(t, func(c *ServerConfig) { c.Pending, c.Deny = 5*time.Minute, deny })
		d := b.device("7D0E1A6A2C0D8A4B", 4, nil)
		a, _ := b.ask(d, now, d.Enrol)
		require.Equal(t, Answer{Status: Pending, Fail: -1}, a)
		a, _ = b.ask(d, now.Add(4*time.Minute), d.Poll)
		require.Equal(t, Pending, a.Status)
		a, what := b.ask(d, now.Add(5*time.Minute), d.Poll)
		if deny {
			require.Equal(t, Answer{Status: Failure, Fail: BadRequest}, a)
			require.Equal(t, "badRequest: the administrator has denied it", what.Reason)
			continue
		}
		require.Equal(t, Success, a.Status)
		require.NotNil(t, a.Certificate)

		other := b.device("7D0E1A6A2C0D8A4B", 5, nil)
		a, what = b.ask(other, now, other.Poll)
		require.Equal(t, BadCertID, a.Fail)
		require.Equal(t, "badCertId: no such request is known", what.Reason)
	}
}

// A certificate is renewed in its own name, without a password, in the form that the server can.
func TestRenewal(t *testing.T) {
	for _, caps := range []Capabilities{nil, {CapRenewal}} {
		b := newBench(t, func(c *ServerConfig) { c.Announced = caps })
		d := b.device("7D0E1A6A2C0D8A4B", 4, nil)
		first, _ := b.ask(d, now, d.Enrol)
		own := pki.Own{Certificate: first.Certificate, Key: aKey(t, 4)}
		r := b.device("", 5, &own)
		second, what := b.ask(r, now, r.Enrol)
		require.Equal(t, Success, second.Status, what.Reason)
		require.Equal(t, caps != nil, what.Message == RenewalReq)
		require.NotEqual(t, first.Certificate.Serial, second.Certificate.Serial)

		late, what := b.ask(r, now.AddDate(2, 0, 0), r.Enrol)
		require.Equal(t, BadCertID, late.Fail, what.Reason)

		own.Key, own.Certificate = aKey(t, 6), d.Identity.Certificate
		foreign := b.device("", 5, &own)
		der, err := foreign.Enrol(b.rand)
		require.NoError(t, err)
		reply := b.server.Serve(now, PKIOperation, der)
		require.Contains(t, reply.What.Reason, "badMessageCheck", "signed with a key that is not the certificate's")
	}
}

// Whoever has a certificate does not get the names of others in the next one: IKE and the
// mapping to accounts go by alternative names.
func TestRenewalInTheNameOfOthers(t *testing.T) {
	b := newBench(t, nil)
	d := b.device("7D0E1A6A2C0D8A4B", 4, nil)
	first, _ := b.ask(d, now, d.Enrol)
	own := pki.Own{Certificate: first.Certificate, Key: aKey(t, 4)}
	for _, row := range []struct {
		names pki.AltNames
		want  Status
	}{
		{pki.AltNames{DNS: []string{"router.lab.example", "server.lab.example"}}, Failure},
		{pki.AltNames{DNS: []string{"server.lab.example"}}, Failure},
		{pki.AltNames{UPN: []string{"SERVER$@lab.example"}}, Failure},
		{pki.AltNames{Email: []string{"root@lab.example"}}, Failure},
		{pki.AltNames{IP: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}, Failure},
		{pki.AltNames{DNS: []string{"router.lab.example"}}, Success},
	} {
		r, err := NewRequester(b.rand, now, b.authorities(), nil, pki.Template{Subject: first.Certificate.Subject, AltNames: row.names}, "", aKey(t, 5), &own)
		require.NoError(t, err)
		a, what := b.ask(r, now, r.Enrol)
		require.Equal(t, row.want, a.Status, "%v: %s", row.names, what.Reason)
	}
}

// Registration authorities answer in the authority's place: one that signs, and one that decrypts.
func TestRegistrationAuthorities(t *testing.T) {
	b := newBench(t, nil)
	b.server.RA = []pki.Own{b.registrar("CN=RA signs", 7, pki.DigitalSignature), b.registrar("CN=RA decrypts", 8, pki.KeyEncipherment)}
	a := b.authorities()
	require.Equal(t, b.authority.Certificate, a.CA)
	require.Len(t, a.RA, 2)
	require.Equal(t, "CN=RA decrypts", a.Recipient().Subject.String())
	d := b.device("7D0E1A6A2C0D8A4B", 4, nil)
	got, _ := b.ask(d, now, d.Enrol)
	require.Equal(t, Success, got.Status)
	require.Equal(t, b.authority.Certificate.Subject, got.Certificate.Issuer)

	// One of another authority has no right to.
	other := newBench(t, nil)
	var err error
	other.authority, err = pki.NewRoot(stream(9), pki.Template{Subject: b.authority.Certificate.Subject, NotBefore: now, NotAfter: now.AddDate(1, 0, 0)}, aKey(t, 9))
	require.NoError(t, err)
	p7, err := pki.MarshalPKCS7([]*pki.Certificate{other.registrar("CN=RA", 7, 0).Certificate, b.authority.Certificate}, nil)
	require.NoError(t, err)
	_, err = ParseAuthorities(typeCerts, p7)
	require.EqualError(t, err, "scep: the answer to GetCACert has CN=RA, which CN=Lab Root,O=Lab has not issued")
	_, err = NewServer(ServerConfig{Rand: stream(1), Authority: b.authority, RA: []pki.Own{other.registrar("CN=RA", 7, 0)}})
	require.EqualError(t, err, "scep: the registration authority CN=RA has no certificate of CN=Lab Root,O=Lab")
}

// Of what comes with an authority's certificate only what vouches for it is taken: its fingerprint covers nothing else.
func TestAbove(t *testing.T) {
	b := newBench(t, nil)
	validity := pki.Template{NotBefore: now, NotAfter: now.AddDate(1, 0, 0)}
	at := func(subject string) pki.Template { v := validity; v.Subject = name(t, subject); return v }
	issuing, err := b.authority.NewAuthority(stream(5), at("CN=Issuing"), aKey(t, 5))
	require.NoError(t, err)
	lowest, err := issuing.NewAuthority(stream(6), at("CN=Lowest"), aKey(t, 6))
	require.NoError(t, err)
	fake, err := pki.NewRoot(stream(9), at("CN=Lab Root, O=Lab"), aKey(t, 9))
	require.NoError(t, err)
	p7, err := pki.MarshalPKCS7([]*pki.Certificate{fake.Certificate, b.authority.Certificate, lowest.Certificate, issuing.Certificate}, nil)
	require.NoError(t, err)
	a, err := ParseAuthorities(typeCerts, p7)
	require.NoError(t, err)
	require.Equal(t, Authorities{CA: lowest.Certificate, Above: []*pki.Certificate{issuing.Certificate, b.authority.Certificate}}, a)
	_, err = ParseAuthorities(typeText, nil)
	require.ErrorContains(t, err, `is of type "text/plain"`)
	p7, err = pki.MarshalPKCS7(nil, []*pki.RevocationList{b.server.List})
	require.NoError(t, err)
	_, err = ParseAuthorities(typeCerts, p7)
	require.ErrorContains(t, err, "no certificate of an authority")
}

// What a server refuses, and with what.
func TestRefusals(t *testing.T) {
	b := newBench(t, nil)
	good := func() *Requester { return b.device("7D0E1A6A2C0D8A4B", 4, nil) }
	for _, tc := range []struct {
		title string
		make  func() []byte
		fail  FailInfo
		why   string
	}{
		{"a wrong password", func() []byte { d := b.device("wrong", 4, nil); return b.der(d.Enrol) }, BadRequest, "challenge password is wrong"},
		{"no password", func() []byte { d := b.device("", 4, nil); return b.der(d.Enrol) }, BadRequest, "challenge password is wrong"},
		{"another key's signature", func() []byte {
			d := good()
			d.Identity = b.device("", 5, nil).Identity
			return b.der(d.Enrol)
		}, BadMessageCheck, "another key"},
		{"an envelope for somebody else", func() []byte {
			d := good()
			d.Authorities.CA = d.Identity.Certificate
			return b.der(d.Enrol)
		}, BadMessageCheck, "no key for"},
		{"no request", func() []byte { d := good(); d.Request.Raw = []byte("junk"); return b.der(d.Enrol) }, BadRequest, "bad encoding"},
		{"a CertRep", func() []byte {
			d := good()
			return b.der(func(r io.Reader) ([]byte, error) {
				m := Message{Type: CertRep, Transaction: "1", SenderNonce: make([]byte, 16), RecipientNonce: make([]byte, 16), Protection: Oldest}
				return m.Marshal(r, d.Identity, d.Authorities.CA, []byte("x"))
			})
		}, BadRequest, "not for an authority"},
	} {
		t.Run(tc.title, func(t *testing.T) {
			reply := b.server.Serve(now, PKIOperation, tc.make())
			require.Equal(t, 200, reply.Status, "%s", reply.Body)
			m, err := Parse(reply.Body)
			require.NoError(t, err)
			require.Equal(t, Failure, m.Status)
			require.Equal(t, tc.fail, m.Fail)
			require.Contains(t, reply.What.Reason, tc.why)
		})
	}
	require.Empty(t, b.server.transactions)
	for _, tc := range []struct {
		op     Operation
		body   string
		status int
		why    string
	}{
		{PKIOperation, "junk", 400, "no SignedData"},
		{GetCACaps, "", 404, `the operation "GetCACaps" is not known`},
		{GetNextCACert, "", 501, "the authority has no successor"},
		{"Format", "", 404, "not known"},
	} {
		reply := b.server.Serve(now, tc.op, []byte(tc.body))
		require.Equal(t, tc.status, reply.Status)
		require.Contains(t, reply.What.Reason, tc.why)
	}
}

func (b *bench) der(say func(io.Reader) ([]byte, error)) []byte {
	der, err := say(b.rand)
	require.NoError(b.t, err)
	return der
}

// What a device does not believe.
func TestAnswers(t *testing.T) {
	b := newBench(t, nil)
	d := b.device("7D0E1A6A2C0D8A4B", 4, nil)
	reply := b.server.Serve(now, PKIOperation, b.der(d.Enrol))
	_, err := d.Answer(reply.Body)
	require.NoError(t, err)

	b.der(d.Enrol) // another nonce
	_, err = d.Answer(reply.Body)
	require.EqualError(t, err, "scep: the answer is to another message: its recipient nonce is not the one that was sent")

	other := b.device("7D0E1A6A2C0D8A4B", 5, nil)
	b.der(other.Enrol)
	_, err = other.Answer(reply.Body)
	require.EqualError(t, err, "scep: the answer belongs to another transaction")

	_, err = d.Answer(b.der(d.Enrol))
	require.EqualError(t, err, "scep: the answer is a PKCSReq")

	mitm := newBench(t, nil)
	mitm.authority.Key = aKey(t, 9)
	mitm.server.Authority, err = pki.NewRoot(stream(9), pki.Template{Subject: name(t, "CN=Mallory"), NotBefore: now, NotAfter: now.AddDate(1, 0, 0)}, aKey(t, 9))
	require.NoError(t, err)
	forged := Message{Type: CertRep, Transaction: d.Transaction, SenderNonce: make([]byte, 16), RecipientNonce: d.nonce, Protection: Oldest}
	der, err := forged.Marshal(b.rand, pki.Own{Certificate: mitm.server.Authority.Certificate, Key: aKey(t, 9)}, d.Identity.Certificate, []byte("x"))
	require.NoError(t, err)
	_, err = d.Answer(der)
	require.EqualError(t, err, "scep: the answer is not signed by the authority, nor by one that it has given the right to")

	// The authority's own signature, around what it has not issued: nothing, another key's, another authority's.
	root := pki.Own{Certificate: b.authority.Certificate, Key: b.authority.Key}
	foreign, err := mitm.server.Authority.Issue(stream(9), pki.Template{Subject: name(t, "CN=router"), NotBefore: now, NotAfter: now.AddDate(1, 0, 0)}, aKey(t, 4).Public())
	require.NoError(t, err)
	for want, certificates := range map[string][]*pki.Certificate{
		"gives no certificate of its key": {b.authority.Certificate},
		"the certificate that came":       {foreign},
	} {
		p7, err := pki.MarshalPKCS7(certificates, nil)
		require.NoError(t, err)
		m := Message{Type: CertRep, Transaction: d.Transaction, SenderNonce: make([]byte, 16), RecipientNonce: d.nonce, Protection: Oldest}
		der, err := m.Marshal(b.rand, root, d.Identity.Certificate, p7)
		require.NoError(t, err)
		_, err = d.Answer(der)
		require.ErrorContains(t, err, want)
	}

	reply = b.server.Serve(now, PKIOperation, b.der(d.Enrol))
	for i := range reply.Body {
		wrong := bytes.Clone(reply.Body)
		wrong[i] ^= 0x01
		a, err := d.Answer(wrong)
		if err == nil { // where the change is in what nobody authenticates, what comes of it is the same
			require.NotNil(t, a.Certificate, "octet %d", i)
		}
	}
}

// The same streams give the same octets, and other streams others.
func TestDeterminism(t *testing.T) {
	run := func(seed byte) []byte {
		b := newBench(t, nil)
		b.rand = stream(seed)
		d := b.device("7D0E1A6A2C0D8A4B", 4, nil)
		request := b.der(d.Enrol)
		return append(request, b.server.Serve(now, PKIOperation, request).Body...)
	}
	require.Equal(t, run(3), run(3))
	require.NotEqual(t, run(3), run(5))
}
