package scep

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/internal/pki"
)

// Whatever comes, a server answers or says why not, and remembers no more than it may.
func FuzzServe(f *testing.F) {
	b := newBench(f, nil)
	d := b.device("7D0E1A6A2C0D8A4B", 4, nil)
	f.Add(b.der(d.Enrol))
	f.Add(b.der(d.Poll))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		c := b.server.ServerConfig
		c.Rand = stream(2)
		server, err := NewServer(c)
		require.NoError(t, err)
		reply := server.Serve(now, PKIOperation, der)
		require.Contains(t, []int{200, 400}, reply.Status)
		if reply.Status == 200 {
			m, err := Parse(reply.Body)
			require.NoError(t, err)
			require.NoError(t, m.CheckSignature(b.authority.Certificate))
		}
	})
}

// Whatever a server answers, a device does not break.
func FuzzAnswer(f *testing.F) {
	b := newBench(f, nil)
	d := b.device("7D0E1A6A2C0D8A4B", 4, nil)
	f.Add(typeMessage, b.server.Serve(now, PKIOperation, b.der(d.Enrol)).Body)
	f.Add(typeCert, b.authority.Certificate.Raw)
	p7, err := pki.MarshalPKCS7([]*pki.Certificate{b.authority.Certificate, b.registrar("CN=RA", 7, 0).Certificate}, nil)
	require.NoError(f, err)
	f.Add(typeCerts, p7)
	f.Add(typeText, []byte("SHA-1\nDES3\r\n\nAES"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		if a, err := d.Answer(body); err == nil {
			require.NotEqual(t, a.Status == Success, a.Certificate == nil)
		}
		if a, err := ParseAuthorities(kind, body); err == nil {
			require.NotNil(t, a.CA)
			require.NotNil(t, a.Recipient())
		}
		require.Subset(t, AllCapabilities, ParseCapabilities(body))
	})
}

// What is written is read again.
func TestRoundTrip(t *testing.T) {
	b := newBench(t, nil)
	signer := b.device("", 4, nil).Identity
	authority := pki.Own{Certificate: b.authority.Certificate, Key: b.authority.Key}
	rapid.Check(t, func(r *rapid.T) {
		nonce := rapid.SliceOfN(rapid.Byte(), nonceLen, nonceLen)
		m := Message{
			Type: rapid.SampledFrom([]MessageType{CertRep, RenewalReq, PKCSReq, CertPoll, GetCert, GetCRL}).Draw(r, "type"), Transaction: rapid.StringMatching("[0-9a-fA-F]{1,64}").Draw(r, "transaction"),
			SenderNonce: nonce.Draw(r, "nonce"), Status: -1, Fail: -1,
			Protection: Protection{
				rapid.SampledFrom([]string{"md5", "sha1", "sha256", "sha384", "sha512"}).Draw(r, "hash"), rapid.SampledFrom([]string{"des", "3des", "aes128", "aes256"}).Draw(r, "cipher"),
			},
		}
		if m.Type == CertRep {
			m.RecipientNonce = nonce.Draw(r, "recipient")
			if m.Status = rapid.SampledFrom([]Status{Success, Failure, Pending}).Draw(r, "status"); m.Status == Failure {
				m.Fail = FailInfo(rapid.IntRange(0, len(failNames)-1).Draw(r, "fail"))
			}
		}
		content := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(r, "content")
		der, err := m.Marshal(b.rand, signer, authority.Certificate, content)
		require.NoError(r, err)
		got, err := Parse(der)
		require.NoError(r, err)
		require.NoError(r, got.CheckSignature(signer.Certificate))
		opened, err := got.Open(authority)
		require.NoError(r, err)
		require.Equal(r, content, opened)
		got.signed, got.envelope = nil, nil
		require.Equal(r, &m, got)
	})
}
