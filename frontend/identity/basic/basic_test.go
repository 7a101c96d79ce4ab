package basic

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"canopy/frontend/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// users writes a password file; a name that is there already gets a new one.
func users(t testing.TB, file string, passwords ...string) {
	t.Helper()
	var b bytes.Buffer
	for i := 0; i < len(passwords); i += 2 {
		hash, err := bcrypt.GenerateFromPassword([]byte(passwords[i+1]), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(passwords[i] + ":" + string(hash) + "\n")
	}
	write(t, file, b.String())
}

func write(t testing.TB, file, content string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func provider(t testing.TB, file string, log *slog.Logger) *Provider {
	t.Helper()
	p, err := New(Options{Htpasswd: file, Realm: "Example \"federation\"\r\n", Log: log, Checks: 1})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func request(name, password string) *http.Request {
	r := &http.Request{Header: make(http.Header)}
	r.SetBasicAuth(name, password)
	return r
}

func TestIdentify(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	users(t, file, "ann", "secret", "bob", "secret:2")
	p := provider(t, file, nil)
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		name   string
		fields []string
		who    string
		found  bool
		err    error
	}{
		{"none", nil, "", false, nil},
		{"another scheme", []string{"Bearer " + encode("ann:secret")}, "", false, nil},
		{"scheme alone", []string{"Basic"}, "", false, nil},
		{"good", []string{"Basic " + encode("ann:secret")}, "ann", true, nil},
		{"good again", []string{"Basic " + encode("ann:secret")}, "ann", true, nil},
		{"any case", []string{"bASIC " + encode("bob:secret:2")}, "bob", true, nil},
		{"wrong", []string{"Basic " + encode("ann:secret:2")}, "", true, identity.ErrRefused},
		{"unknown", []string{"Basic " + encode("eve:secret")}, "", true, identity.ErrRefused},
		{"nobody", []string{"Basic " + encode(":")}, "", true, identity.ErrRefused},
		{"no colon", []string{"Basic " + encode("ann")}, "", true, identity.ErrRefused},
		{"no base64", []string{"Basic %%%"}, "", true, identity.ErrRefused},
		{"two", []string{"Basic " + encode("ann:secret"), "Basic " + encode("ann:secret")}, "", true, identity.ErrRefused},
		{"huge", []string{"Basic " + encode("ann:"+strings.Repeat("x", maxCredential))}, "", true, identity.ErrRefused},
	} {
		r := &http.Request{Header: http.Header{"Authorization": c.fields}}
		who, found, err := p.Identify(r)
		if who.Name != c.who || found != c.found || !errors.Is(err, c.err) {
			t.Errorf("%s: got %+v, %v, %v", c.name, who, found, err)
		}
		if c.who != "" && who.Method != Method {
			t.Errorf("%s: method %q", c.name, who.Method)
		}
	}
	if got, want := p.Challenge(), `Basic realm="Example _federation___", charset="UTF-8"`; got != want {
		t.Errorf("got challenge %s, want %s", got, want)
	}
	if p.good.Len() != 2 {
		t.Errorf("%d credentials are remembered", p.good.Len())
	}
}

// TestMemory: what was found good is not checked again for a minute.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "users")
		users(t, file, "ann", "secret")
		p := provider(t, file, nil)
		p.turns <- struct{}{} // nobody gets a turn
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := p.Identify(request("ann", "secret").WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("checked without a turn: %v", err)
		}
		<-p.turns
		identify := func(password string) error {
			_, _, err := p.Identify(request("ann", password))
			return err
		}
		if err := identify("secret"); err != nil {
			t.Fatal(err)
		}
		p.turns <- struct{}{}
		time.Sleep(remember - time.Nanosecond)
		if err := identify("secret"); err != nil {
			t.Errorf("not remembered: %v", err)
		}
		if err := identify("Secret"); !errors.Is(err, identity.ErrBusy) {
			t.Errorf("another password: got %v", err)
		}
		if err := identify("secret"); !errors.Is(err, identity.ErrBusy) {
			t.Errorf("remembered for too long: got %v", err)
		}
	})
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "users")
		users(t, file, "ann", "secret")
		p := provider(t, file, nil)
		p.turns <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range cap(p.queue) {
			wg.Go(func() {
				if _, _, err := p.Identify(request("ann", "wrong").WithContext(ctx)); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		if _, _, err := p.Identify(request("ann", "secret")); !errors.Is(err, identity.ErrBusy) {
			t.Errorf("got %v beyond a full queue", err)
		}
		cancel()
		wg.Wait()
		<-p.turns
		if _, _, err := p.Identify(request("ann", "secret")); err != nil {
			t.Errorf("got %v from an empty queue", err)
		}
	})
}

// TestChangedFile: a new password holds within a second, and a file that
// cannot be used changes nothing.
func TestChangedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "users")
		users(t, file, "ann", "old")
		var said bytes.Buffer
		p := provider(t, file, slog.New(slog.NewTextHandler(&said, nil)))
		good := func(password string) bool {
			_, _, err := p.Identify(request("ann", password))
			return err == nil
		}
		if !good("old") {
			t.Fatal("the password does not hold")
		}
		users(t, file, "ann", "new")
		time.Sleep(time.Second)
		if good("old") || !good("new") {
			t.Error("the old password still holds")
		}
		write(t, file, "ann:plain\n")
		time.Sleep(time.Second)
		if !good("new") || good("plain") {
			t.Error("a bad file came into force")
		}
		time.Sleep(time.Second)
		good("new")
		if n := strings.Count(said.String(), "cannot be used"); n != 1 {
			t.Errorf("the bad file was reported %d times:\n%s", n, &said)
		}
		users(t, file, "ann", "newer")
		time.Sleep(time.Second)
		if !good("newer") {
			t.Error("the file that was mended is not in force")
		}
		for _, secret := range []string{"old", "new", "plain"} {
			if strings.Contains(said.String(), `"`+secret+`"`) || strings.Contains(said.String(), ":"+secret) {
				t.Errorf("the log tells %q:\n%s", secret, &said)
			}
		}
	})
}

func TestNewFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	if _, err := New(Options{Htpasswd: file}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	write(t, file, "ann:plain")
	if _, err := New(Options{Htpasswd: file}); err == nil || !strings.HasPrefix(err.Error(), file+": line 1: ") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkRemembered(b *testing.B) {
	file := filepath.Join(b.TempDir(), "users")
	users(b, file, "ann", "secret")
	p, r := provider(b, file, nil), request("ann", "secret")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Identify(r); err != nil {
			b.Fatal(err)
		}
	}
}
