package hosts_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/internal/scep"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// scepBench is a device and a certification authority on a network.
type scepBench struct {
	*agentBench
	t         *testing.T
	server    *scep.Server
	authority *pki.Authority
	store     *hosts.Certificates
	keys      []pki.PrivateKey
}

func newSCEPBench(t *testing.T, change func(*scep.ServerConfig)) *scepBench {
	b := &scepBench{t: t, store: new(hosts.Certificates)}
	b.agentBench = newAgentBench(t, hosts.Config{Certificates: b.store})
	for _, name := range []string{"authority", "first", "second"} {
		key, err := pki.GenerateKey(sim.NewStream(1, name), "rsa-1024")
		require.NoError(t, err)
		b.keys = append(b.keys, key)
	}
	now := b.world.Time()
	subject, err := pki.ParseName("CN=Lab Root")
	require.NoError(t, err)
	b.authority, err = pki.NewRoot(sim.NewStream(1, "root"), pki.Template{Subject: subject, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0)}, b.keys[0])
	require.NoError(t, err)
	list, err := b.authority.IssueList(pki.ListTemplate{Number: 1, ThisUpdate: now, NextUpdate: now.AddDate(0, 1, 0)})
	require.NoError(t, err)
	c := scep.ServerConfig{Rand: sim.NewStream(1, "server"), Authority: b.authority, List: list, Challenge: "secret"}
	if change != nil {
		change(&c)
	}
	b.server, err = scep.NewServer(c)
	require.NoError(t, err)
	_, err = b.peer.ServeHTTP(80, hosts.Site{SCEP: b.server, Files: map[string]hosts.File{"/CertEnroll/root.crl": {Type: "application/pkix-crl", Content: list.Raw}, "/junk": {}}})
	require.NoError(t, err)
	return b
}

func (b *scepBench) enrolment() hosts.Enrolment {
	subject, err := pki.ParseName("CN=alice")
	require.NoError(b.t, err)
	return hosts.Enrolment{
		Authority: hosts.Authority{To: netip.AddrPortFrom(bobAddr, 80), Host: "ca", Timeout: 10 * time.Second, Interval: time.Minute, Tries: 3},
		Template:  pki.Template{Subject: subject}, Challenge: "secret", Key: b.keys[1],
	}
}

func (b *scepBench) run(do func(*sim.Proc) hosts.Report) (r hosts.Report) {
	proc := b.world.Go(b.host, "scep", func(p *sim.Proc) { r = do(p) })
	require.NoError(b.t, b.world.Run(b.t.Context(), 0, proc.Done))
	return r
}

func (b *scepBench) enrol(e hosts.Enrolment) hosts.Report {
	return b.run(func(p *sim.Proc) hosts.Report { return b.host.Enrol(p, e) })
}

// A host enrols, renews and gets the list, with each set of capabilities, and after the authority's host was restarted.
func TestEnrol(t *testing.T) {
	for title, caps := range map[string]scep.Capabilities{"GET, DES and MD5": nil, "POST, AES and SHA-256": scep.AllCapabilities} {
		t.Run(title, func(t *testing.T) {
			b := newSCEPBench(t, func(c *scep.ServerConfig) { c.Announced = caps })
			e := b.enrolment()
			e.Fingerprint = b.authority.Certificate.Thumbprint()
			require.NoError(t, b.enrol(e).Err)
			require.Len(t, b.store.Store.Own, 1)
			require.Equal(t, []*pki.Certificate{b.authority.Certificate}, b.store.Store.Roots)
			first := b.store.Store.Own[0].Certificate
			require.NoError(t, first.CheckSignature(b.authority.Certificate.Key))

			proc := b.world.Go(nil, "power", func(c *sim.Proc) { require.NoError(t, b.peer.Restart(c, time.Second, false)) })
			require.NoError(t, b.world.Run(t.Context(), 0, proc.Done))

			e.Renew, e.Key, e.Challenge, e.Template = true, b.keys[2], "", pki.Template{}
			require.NoError(t, b.enrol(e).Err)
			require.Len(t, b.store.Store.Own, 1, "it takes the place of the first")
			require.NotEqual(t, first.Serial, b.store.Store.Own[0].Certificate.Serial)
			require.Equal(t, "CN=alice", b.store.Store.Own[0].Certificate.Subject.String())
			require.Len(t, b.store.Store.Roots, 1)

			for range 2 {
				require.NoError(t, b.run(func(p *sim.Proc) hosts.Report { return b.host.FetchList(p, e.Authority, "") }).Err)
				require.Equal(t, []*pki.RevocationList{b.server.List}, b.store.Store.Lists)
			}
		})
	}
}

// What comes of an enrolment that does not succeed, and that the store is as before.
func TestEnrolFails(t *testing.T) {
	for _, tc := range []struct {
		title  string
		server func(*scep.ServerConfig)
		change func(*hosts.Enrolment)
		result string
		why    string
		took   time.Duration // at least
	}{
		{"a wrong password", nil, func(e *hosts.Enrolment) { e.Challenge = "guess" }, "refused", "the authority refuses: badRequest", 0},
		{"another authority", nil, func(e *hosts.Enrolment) { e.Fingerprint = "00" }, "error", "the certificate of the authority is another one", 0},
		{"denied after a while", func(c *scep.ServerConfig) { c.Pending, c.Deny = 90*time.Second, true }, nil, "refused", "badRequest", 2 * time.Minute},
		{"never decided", func(c *scep.ServerConfig) { c.Pending = time.Hour }, nil, "timeout", "pending still", 2 * time.Minute},
		{"nobody listens", nil, func(e *hosts.Enrolment) { e.To = netip.AddrPortFrom(bobAddr, 81) }, "refused", "connection refused", 2 * time.Minute},
		{"nobody is there", nil, func(e *hosts.Enrolment) { e.To = netip.MustParseAddrPort("10.0.0.77:80") }, "unreachable", "unreachable", 2 * time.Minute},
		{"nothing to renew", nil, func(e *hosts.Enrolment) { e.Renew = true }, "error", "no certificate of CN=Lab Root to renew", 0},
	} {
		t.Run(tc.title, func(t *testing.T) {
			b := newSCEPBench(t, tc.server)
			e := b.enrolment()
			if tc.change != nil {
				tc.change(&e)
			}
			start := b.world.Now()
			r := b.enrol(e)
			require.ErrorContains(t, r.Err, tc.why)
			require.Equal(t, tc.result, r.Result())
			require.GreaterOrEqual(t, b.world.Now()-start, tc.took)
			require.Equal(t, pki.Store{}, b.store.Store)
		})
	}
	b := newSCEPBench(t, nil)
	r := b.run(func(p *sim.Proc) hosts.Report { return b.host.FetchList(p, b.enrolment().Authority, "") })
	require.ErrorContains(t, r.Err, "no certificate of CN=Lab Root in whose name to ask")
}

// A list by HTTP counts if the store has its authority.
func TestFetchListByHTTP(t *testing.T) {
	b := newSCEPBench(t, nil)
	fetch := func(path string) error {
		return b.run(func(p *sim.Proc) hosts.Report { return b.host.FetchList(p, b.enrolment().Authority, path) }).Err
	}
	require.EqualError(t, fetch("/certenroll/ROOT.crl"), "the list is of CN=Lab Root, and no certificate in the store verifies it")
	require.Empty(t, b.store.Store.Lists)
	other, err := pki.NewRoot(sim.NewStream(1, "other"), pki.Template{Subject: b.authority.Certificate.Subject, NotBefore: b.world.Time(), NotAfter: b.world.Time().AddDate(1, 0, 0)}, b.keys[1])
	require.NoError(t, err)
	b.store.Store.Roots = append(b.store.Store.Roots, other.Certificate)
	require.Error(t, fetch("/certenroll/ROOT.crl"), "of the same name and another key")
	b.store.Store.Intermediates = append(b.store.Store.Intermediates, b.authority.Certificate)
	for range 2 {
		require.NoError(t, fetch("/certenroll/ROOT.crl"))
		require.Equal(t, []*pki.RevocationList{b.server.List}, b.store.Store.Lists)
	}
	require.EqualError(t, fetch("/CertEnroll/other.crl"), "the server answers 404 Not Found")
	require.ErrorContains(t, fetch("/junk"), "bad encoding")
}

// Who stands between a host and the server gives out an old list, in which the stolen
// certificate is not: the newer one stays. And an authority has nothing to say about the list of
// another one that has its name.
func TestFetchListThatIsOlder(t *testing.T) {
	b := newSCEPBench(t, nil)
	now := b.world.Time()
	listOf := func(a *pki.Authority, at time.Time) *pki.RevocationList {
		l, err := a.IssueList(pki.ListTemplate{Number: 2, ThisUpdate: at, NextUpdate: at.AddDate(0, 1, 0)})
		require.NoError(t, err)
		return l
	}
	same, err := pki.NewRoot(sim.NewStream(2, "root"), pki.Template{Subject: b.authority.Certificate.Subject, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0)}, b.keys[1])
	require.NoError(t, err)
	b.store.Store.Roots = []*pki.Certificate{b.authority.Certificate}
	fetch := func() hosts.Report {
		return b.run(func(p *sim.Proc) hosts.Report {
			return b.host.FetchList(p, b.enrolment().Authority, "/CertEnroll/root.crl")
		})
	}
	newer, other := listOf(b.authority, now.Add(time.Hour)), listOf(same, now.Add(-time.Hour))
	b.store.Store.Lists = []*pki.RevocationList{other, newer}
	require.ErrorContains(t, fetch().Err, "older")
	require.Equal(t, []*pki.RevocationList{other, newer}, b.store.Store.Lists)
	b.store.Store.Lists = []*pki.RevocationList{other, listOf(b.authority, now.Add(-time.Hour))}
	require.NoError(t, fetch().Err)
	require.Len(t, b.store.Store.Lists, 2)
	require.Equal(t, other, b.store.Store.Lists[0])
	require.Equal(t, now.Unix(), b.store.Store.Lists[1].ThisUpdate.Unix())
}

// Requests are granted after a while, and both sides tell the same story.
func TestEnrolPending(t *testing.T) {
	b := newSCEPBench(t, func(c *scep.ServerConfig) { c.Pending = 90 * time.Second })
	require.NoError(t, b.enrol(b.enrolment()).Err)
	told := map[string][]string{}
	for _, e := range b.log.Events() {
		if x, ok := e.Body.(trace.SCEP); ok {
			told[x.Role] = append(told[x.Role], x.Operation+" "+x.Message+" "+x.Status)
		}
	}
	want := []string{"PKIOperation PKCSReq PENDING", "PKIOperation CertPoll PENDING", "PKIOperation CertPoll SUCCESS"}
	require.Equal(t, append([]string{"GetCACert  "}, want...), told["requester"])
	require.Equal(t, append([]string{"GetCACert  ", "GetCACaps  "}, want...), told["authority"])
}

// What is no request for SCEP is answered as HTTP says, and what is no HTTP too.
func TestSCEPServerStrangers(t *testing.T) {
	b := newSCEPBench(t, nil)
	r := b.run(func(p *sim.Proc) hosts.Report {
		return b.host.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 70 << 10, Response: 16, Timeout: 10 * time.Second})
	})
	require.Error(t, r.Err, "the lab's own application speaks no HTTP")
	for _, tc := range []struct {
		request string
		status  int
	}{
		{"GET / HTTP/1.0\r\n\r\n", 404},
		{"PUT /certsrv/mscep/mscep.dll HTTP/1.0\r\n\r\n", 405},
		{"GET no-url HTTP/1.0\r\n\r\n", 400},
		{"GET /CertSrv/mscep/mscep.dll?operation=GetCACert HTTP/1.0\r\n\r\n", 200},
		{"GET /certsrv/mscep/mscep.dll?operation=PKIOperation&message=%%% HTTP/1.0\r\n\r\n", 400},
		{"GET /certsrv/mscep/mscep.dll?operation=PKIOperation&message=!!! HTTP/1.0\r\n\r\n", 400},
		{"GET /certsrv/mscep/mscep.dll?operation=GetNextCACert HTTP/1.0\r\n\r\n", 501},
		{"junk\r\n\r\n", 400},
	} {
		var status int
		var err error
		proc := b.world.Go(b.host, "browser", func(p *sim.Proc) {
			status, err = hosts.HTTPStatus(p, b.host, netip.AddrPortFrom(bobAddr, 80), tc.request)
		})
		require.NoError(t, b.world.Run(t.Context(), 0, proc.Done))
		require.NoError(t, err, tc.request)
		require.Equal(t, tc.status, status, tc.request)
	}
}
