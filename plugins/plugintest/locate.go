package plugintest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"canopy/plugins"
)

func locateChecks() []check {
	return []check{
		{name: "locate/fetch", needs: NoLocate, run: locateFetch},
		{name: "locate/form", needs: NoLocate, run: locateForm},
		{name: "locate/without asking", needs: NoLocate, run: locateAbsent},
		{name: "locate/third-party copies", needs: NoLocate, run: locateCopies},
	}
}

func locateFetch(b *bench) error {
	content := alphabet(50_000)
	b.seed(Node{Path: "file", Content: content}, Node{Path: "deep/er/empty"})
	return errors.Join(b.fetches(b.at("file"), content), b.fetches(b.at("deep/er/empty"), ""))
}

// fetches demands that the URL of path works for an ordinary client.
func (b *bench) fetches(path, content string) error {
	l, err := b.able.Locator.Locate(path, http.MethodGet)
	if err != nil {
		return err
	}
	if err := b.urlIsProper(l.URL); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, l.URL, nil)
	if err != nil {
		return err
	}
	resp, err := b.client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%q: GET %s: %s", path, l.URL, resp.Status)
	case string(got) != content:
		return fmt.Errorf("%q: GET %s: %d bytes %.40q…, want %d bytes", path, l.URL, len(got), got, len(content))
	}
	return nil
}

// urlIsProper demands an absolute, fully encoded URL without a credential.
func (b *bench) urlIsProper(raw string) error {
	// What RFC 3986 lets stand as it is, "%" aside.
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#[]@!$&'()*+,;=%"
	if i := strings.IndexFunc(raw, func(r rune) bool { return !strings.ContainsRune(allowed, r) }); i >= 0 {
		return fmt.Errorf("URL %q is not fully encoded at byte %d", raw, i)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return err
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("URL %q is not an absolute one of HTTP", raw)
	case u.User != nil:
		return fmt.Errorf("URL of %s carries a user", u.Host)
	case u.Fragment != "":
		return fmt.Errorf("URL %q has a fragment", raw)
	}
	return b.discreet("a URL", raw)
}

func locateForm(b *bench) error {
	var errs []error
	for _, path := range []string{"/", b.dir, b.at("file"), b.at("a b%41#c?d"), b.at("\xff")} {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			l, err := b.able.Locator.Locate(path, method)
			if err != nil {
				// A storage may have no URL for this, and must say so.
				errs = append(errs, b.fails("locate "+path, err, plugins.Unsupported, plugins.Invalid))
				continue
			}
			errs = append(errs, b.urlIsProper(l.URL))
		}
	}
	return errors.Join(errs...)
}

// locateCopies demands that there is an address for COPY if, and only if, the
// storage copies from or to others.
func locateCopies(b *bench) error {
	l, err := b.able.Locator.Locate(b.at("file"), "COPY")
	c := b.able.Copier
	switch {
	case c == nil && err == nil:
		return fmt.Errorf("clients are sent to %q for COPY, and the endpoint is no Copier", l.URL)
	case c == nil:
		return b.fails("locate for COPY", err, plugins.Unsupported)
	case err != nil:
		return err
	case !c.Copies(plugins.Pull) && !c.Copies(plugins.Push):
		return errors.New("a Copier that copies in no mode")
	case c.Copies(""):
		return errors.New("a Copier that copies in a mode that there is not")
	}
	return b.urlIsProper(l.URL)
}

// locateAbsent demands that Locate says nothing about what exists.
func locateAbsent(b *bench) error {
	l, err := b.able.Locator.Locate(b.at("absent"), http.MethodGet)
	if err != nil {
		return err
	}
	return b.urlIsProper(l.URL)
}
