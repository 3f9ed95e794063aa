package scep

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/pki"
)

// openssl runs the command in a folder of files.
type openssl struct {
	t    *testing.T
	path string
	dir  string
}

func newOpenSSL(t *testing.T) *openssl {
	return &openssl{t, needs.Tool(t, "openssl"), t.TempDir()}
}

func (o *openssl) write(name string, b []byte) string {
	require.NoError(o.t, os.WriteFile(filepath.Join(o.dir, name), b, 0o600))
	return name
}

func (o *openssl) own(name string, own pki.Own) (cert, key string) {
	c, err := (&pki.Bundle{Certificates: []*pki.Certificate{own.Certificate}}).PEM()
	require.NoError(o.t, err)
	k, err := (&pki.Bundle{Keys: []pki.PrivateKey{own.Key}}).PEM()
	require.NoError(o.t, err)
	return o.write(name+".crt", c), o.write(name+".key", k)
}

func (o *openssl) run(args ...string) []byte {
	var out, errs bytes.Buffer
	c := exec.Command(o.path, args...)
	c.Dir, c.Stdout, c.Stderr = o.dir, &out, &errs
	c.Env = append(os.Environ(), "OPENSSL_CONF="+os.DevNull)
	require.NoError(o.t, c.Run(), "openssl %v: %s", args, &errs)
	return out.Bytes()
}

// OpenSSL finds both layers of what we send to be right, and in them what we put there.
func TestOpenSSLReads(t *testing.T) {
	for title, caps := range map[string]Capabilities{"md5": nil, "sha1 and 3des": {CapSHA1, CapDES3}, "sha256 and aes": AllCapabilities} {
		t.Run(title, func(t *testing.T) {
			o := newOpenSSL(t)
			b := newBench(t, func(c *ServerConfig) { c.Announced = caps })
			d := b.device("7D0E1A6A2C0D8A4B", 4, nil)
			request := b.der(d.Enrol)
			reply := b.server.Serve(now, PKIOperation, request)
			caCert, caKey := o.own("ca", pki.Own{Certificate: b.authority.Certificate, Key: b.authority.Key})
			devCert, devKey := o.own("device", d.Identity)
			for _, m := range []struct {
				name, to, key string
				der           []byte
			}{{"request", caCert, caKey, request}, {"reply", devCert, devKey, reply.Body}} {
				o.write(m.name+".p7", m.der)
				o.run("cms", "-verify", "-inform", "DER", "-in", m.name+".p7", "-noverify", "-binary", "-out", m.name+".env")
				open := []string{"cms", "-decrypt", "-inform", "DER", "-in", m.name + ".env", "-recip", m.to, "-inkey", m.key, "-binary", "-out", m.name + ".der"}
				if caps == nil { // single DES is of the legacy provider
					open = append(open, "-provider", "legacy", "-provider", "default")
				}
				o.run(open...)
			}
			text := string(o.run("req", "-inform", "DER", "-in", "request.der", "-noout", "-text", "-verify"))
			require.Contains(t, text, "challengePassword        :7D0E1A6A2C0D8A4B")
			require.Contains(t, text, "DNS:router.lab.example")
			o.run("pkcs7", "-inform", "DER", "-in", "reply.der", "-print_certs", "-out", "reply.crt")
			require.Contains(t, string(o.run("verify", "-no_check_time", "-auth_level", "0", "-CAfile", caCert, "reply.crt")), "reply.crt: OK")

			// What is signed is in the order of DER (X.690, Section 11.6), which openssl makes when it writes.
			for _, m := range []string{"request", "reply"} {
				o.run("cms", "-cmsout", "-inform", "DER", "-in", m+".p7", "-outform", "DER", "-out", m+".again")
				again, err := os.ReadFile(filepath.Join(o.dir, m+".again"))
				require.NoError(t, err)
				require.Equal(t, map[string][]byte{"request": request, "reply": reply.Body}[m], again)
			}
			parsed := string(o.run("asn1parse", "-inform", "DER", "-in", "reply.p7"))
			for _, oid := range []string{"2.16.840.1.113733.1.9.2", "2.16.840.1.113733.1.9.3", "2.16.840.1.113733.1.9.5", "2.16.840.1.113733.1.9.6", "2.16.840.1.113733.1.9.7"} {
				require.Contains(t, parsed, oid)
			}
		})
	}
}

// We read what OpenSSL signs and encrypts.
func TestOpenSSLWrites(t *testing.T) {
	o := newOpenSSL(t)
	b := newBench(t, nil)
	d := b.device("7D0E1A6A2C0D8A4B", 4, nil)
	caCert, _ := o.own("ca", pki.Own{Certificate: b.authority.Certificate, Key: b.authority.Key})
	devCert, devKey := o.own("device", d.Identity)
	o.write("plain", []byte("a request"))
	for cipher, word := range map[string]string{"des-cbc": "des", "des3": "3des", "aes-128-cbc": "aes128", "aes-256-cbc": "aes256"} {
		seal := []string{"cms", "-encrypt", "-" + cipher, "-binary", "-in", "plain", "-outform", "DER", "-out", "sealed", caCert}
		if cipher == "des-cbc" {
			seal = append(seal[:len(seal)-1], "-provider", "legacy", "-provider", "default", caCert)
		}
		o.run(seal...)
		sealed, err := os.ReadFile(filepath.Join(o.dir, "sealed"))
		require.NoError(t, err)
		content, got, err := pki.OpenEnveloped(sealed, pki.Own{Certificate: b.authority.Certificate, Key: b.authority.Key})
		require.NoError(t, err)
		require.Equal(t, "a request", string(content))
		require.Equal(t, word, got)
	}
	for _, hash := range []string{"md5", "sha1", "sha256", "sha384", "sha512"} {
		o.run("cms", "-sign", "-binary", "-nodetach", "-md", hash, "-in", "plain", "-signer", devCert, "-inkey", devKey, "-outform", "DER", "-out", "signed")
		der, err := os.ReadFile(filepath.Join(o.dir, "signed"))
		require.NoError(t, err)
		s, err := pki.ParseSigned(der)
		require.NoError(t, err)
		require.Equal(t, hash, s.Hash)
		require.Equal(t, "a request", string(s.Content))
		require.NoError(t, s.CheckSignature(s.Signer().Key))
		s.Content[0]++
		require.ErrorIs(t, s.CheckSignature(s.Signer().Key), pki.ErrSignature)
	}
}
