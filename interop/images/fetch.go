package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Mirror is where packages come from. The zero value is Debian's own.
type Mirror struct {
	Debian   string // URL of the archive debian
	Security string // URL of the archive debian-security
}

// The mirrors that need no choosing.
const (
	DefaultMirror         = "http://deb.debian.org/debian"
	DefaultSecurityMirror = "http://deb.debian.org/debian-security"
)

// url of a file in an archive.
func (m Mirror) url(archive, name string) string {
	base := m.Debian
	if base == "" {
		base = DefaultMirror
	}
	if archive == "debian-security" {
		if base = m.Security; base == "" {
			base = DefaultSecurityMirror
		}
	}
	return strings.TrimSuffix(base, "/") + "/" + name
}

// errGone: the mirror no longer has a file. Mirrors keep the newest version of a package alone.
var errGone = errors.New("the mirror does not have it")

// httpClient honours HTTP_PROXY and its kin. A body may take long; an answer may not.
var httpClient = &http.Client{Transport: &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	DialContext:           (&net.Dialer{Timeout: 20 * time.Second}).DialContext,
	TLSHandshakeTimeout:   20 * time.Second,
	ResponseHeaderTimeout: 60 * time.Second,
	MaxIdleConnsPerHost:   16,
	IdleConnTimeout:       30 * time.Second,
}}

const (
	attempts = 3                // at a file, when the network fails
	stall    = 60 * time.Second // without an octet, and the network has failed
)

// get hands the body of a file to read, again when the network failed under it.
func get(ctx context.Context, url string, read func(io.Reader) error) (err error) {
	for n := range attempts {
		if n > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(n) * 300 * time.Millisecond):
			}
		}
		if err = getOnce(ctx, url, read); err == nil || !errors.As(err, new(networkError)) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return nil
}

// networkError is worth another attempt.
type networkError struct{ error }

func (e networkError) Unwrap() error { return e.error }

func getOnce(ctx context.Context, url string, read func(io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return networkError{err}
	}
	defer response.Body.Close()
	switch code := response.StatusCode; {
	case code == http.StatusNotFound || code == http.StatusGone:
		return errGone
	case code >= 500 || code == http.StatusTooManyRequests:
		return networkError{fmt.Errorf("the mirror answers %s", response.Status)}
	case code != http.StatusOK:
		return fmt.Errorf("the mirror answers %s", response.Status)
	}
	watch := time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing came for %s", stall)) })
	defer watch.Stop()
	return read(&body{ctx, response.Body, watch})
}

// body of an answer, whose errors are the network's.
type body struct {
	ctx   context.Context
	r     io.Reader
	watch *time.Timer
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.watch.Reset(stall)
	if err != nil && err != io.EOF {
		if cause := context.Cause(b.ctx); cause != nil {
			err = cause
		}
		err = networkError{err}
	}
	return n, err
}

// deb is the path of a package in the cache, from the mirror where it is not
// there yet. What is in the cache is named by its SHA-256 and has been checked.
func (b *Builder) deb(ctx context.Context, p Pin) (string, error) {
	file := b.file(p)
	if b.has(p) {
		return file, nil
	}
	_, err, _ := b.fetching.Do(file, func() (any, error) {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		return nil, get(ctx, b.Mirror.url(p.Archive, p.Path), func(r io.Reader) error {
			return checked(file, r, p.Size, p.SHA256)
		})
	})
	if err != nil {
		return "", fmt.Errorf("images: package %s: %w", p, err)
	}
	return file, nil
}

func (b *Builder) file(p Pin) string { return filepath.Join(b.Cache, "debs", p.SHA256+".deb") }

func (b *Builder) has(p Pin) bool {
	info, err := os.Stat(b.file(p))
	return err == nil && info.Size() == p.Size
}

// checked writes a file that is there only when it has the size and the hash.
func checked(file string, r io.Reader, size int64, sum string) error {
	f, err := os.CreateTemp(filepath.Dir(file), unfinished+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing, once it is renamed
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(r, size+1))
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != size || got != sum {
		if n > size {
			return fmt.Errorf("it is longer than %d octets", size)
		}
		return fmt.Errorf("it has %d octets and SHA-256 %s, not %d and %s: "+
			"the mirror, or a proxy before it, serves something else than the lock names", n, got, size, sum)
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
