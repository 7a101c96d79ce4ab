package soak

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"canopy/federator/write/history"
)

const (
	// ownPaths are how many paths each writer has to itself, and sharedPaths
	// how many belong to all.
	ownPaths, sharedPaths = 6, 8
	// aftermath is for how long a request may have an effect that got no
	// answer: its front end is dead, but not the endpoint it was speaking to.
	aftermath = 2 * time.Second
)

// sizes are few, so that files of one name are often equally long.
var sizes = [...]int{0, 300, 300, 300, 20_000, 300_000}

// writers are clients that change the federation, each in its own way that
// depends on the seed alone.
type writers struct {
	fronts []*front
	log    *history.Log
	http   *http.Client
	since  time.Time
	pause  time.Duration // at most, between two requests of one writer

	ctx  context.Context
	halt context.CancelFunc
	wg   sync.WaitGroup

	mu     sync.Mutex
	said   map[string]int // how often each answer was given
	faults []string
}

func newWriters(ctx context.Context, pause time.Duration) *writers {
	w := &writers{
		log: history.New(), since: time.Now(), pause: pause, said: make(map[string]int),
		http: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, ExpectContinueTimeout: 10 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       40 * time.Second,
		},
	}
	w.ctx, w.halt = context.WithCancel(ctx)
	return w
}

func (w *writers) stop() {
	w.halt()
	w.wg.Wait()
	w.http.CloseIdleConnections()
}

// writer is one of them.
type writer struct {
	*writers
	name   string
	random *rand.Rand
	home   string
	paths  []string // its own, then those of all
	count  int
}

func ownPath(client, n int) string { return fmt.Sprintf("/own/c%02d/f%d.bin", client, n) }

func sharedPath(n int) string { return fmt.Sprintf("/shared/f%d.bin", n) }

// start lets n writers begin.
func (w *writers) start(fronts []*front, n int, seed uint64) {
	w.fronts = fronts
	for i := range n {
		one := &writer{writers: w, name: fmt.Sprintf("c%02d", i), random: rand.New(rand.NewPCG(seed, uint64(i)))}
		for k := range ownPaths {
			one.paths = append(one.paths, ownPath(i, k))
		}
		one.home = path.Dir(one.paths[0])
		for k := range sharedPaths {
			one.paths = append(one.paths, sharedPath(k))
		}
		w.wg.Go(func() {
			for w.ctx.Err() == nil {
				one.once()
				one.rest()
			}
		})
	}
}

// rest lets some time pass.
func (w *writer) rest() {
	timer := time.NewTimer(time.Duration(w.random.Int64N(int64(w.pause))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ctx.Done():
	}
}

// some returns one of the paths, mostly one of its own.
func (w *writer) some() string {
	if w.random.IntN(4) == 0 {
		return w.paths[ownPaths+w.random.IntN(sharedPaths)]
	}
	return w.paths[w.random.IntN(ownPaths)]
}

// once is one request. Everything that is left to chance is decided before it
// is sent.
func (w *writer) once() {
	w.count++
	turn, p, to, at := w.random.IntN(20), w.some(), w.some(), w.fronts[w.random.IntN(len(w.fronts))]
	size := sizes[w.random.IntN(len(sizes))]
	if w.random.IntN(100) == 0 {
		size = 2 << 20
	}
	switch {
	case turn == 9 && w.random.IntN(3) == 0:
		w.raze(at)
	case turn < 7:
		v := history.Version(fmt.Sprintf("%s-%d", w.name, w.count))
		w.change(at, history.Op{Kind: history.Put, Path: p, Version: v}, fileOf(v, size), http.StatusCreated, http.StatusNoContent)
	case turn < 10:
		w.change(at, history.Op{Kind: history.Delete, Path: p}, nil, http.StatusNoContent)
	case turn < 13 && p != to:
		w.change(at, history.Op{Kind: history.Move, Path: p, To: to}, nil, http.StatusCreated, http.StatusNoContent)
	case turn < 18:
		_, _ = w.read(w.ctx, at, w.name, p) // what is wrong has been noted
	default:
		w.list(at, w.home, w.paths[:ownPaths])
	}
}

// now is the time since the begin of the history.
func (w *writers) now() time.Duration { return time.Since(w.since) }

// ask sends a request, and reads the answer to its end. Where a client is sent to
// an endpoint it goes there.
func (w *writers) ask(ctx context.Context, at *front, method, p string, body []byte, header ...string) (*http.Response, []byte, error) {
	resp, content, err := w.send(ctx, method, at.url()+(&url.URL{Path: p}).EscapedPath(), body, header...)
	if err != nil || resp.StatusCode != http.StatusFound && resp.StatusCode != http.StatusTemporaryRedirect {
		return resp, content, err
	}
	to, err := resp.Location()
	if err != nil {
		return resp, content, err
	}
	there, content, err := w.send(ctx, method, to.String(), body, header...)
	if err == nil && there.StatusCode/100 > 2 {
		// It was good when the front end said so.
		err = fmt.Errorf("%s at the endpoint", there.Status)
	}
	return there, content, err
}

func (w *writers) send(ctx context.Context, method, to string, body []byte, header ...string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	// Nothing is sent a second time behind our back.
	req.GetBody = nil
	resp, err := w.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	w.mu.Lock()
	w.said[fmt.Sprint(method, " ", resp.StatusCode)]++
	w.mu.Unlock()
	return resp, content, err
}

// change makes a request that changes something; good are the statuses by which
// it is acknowledged.
func (w *writer) change(at *front, o history.Op, body []byte, good ...int) {
	// Only who asks first where to send a file is sent to an endpoint.
	method, header := "PUT", []string{"Expect", "100-continue"}
	if w.count%2 == 0 {
		header = nil
	}
	switch o.Kind {
	case history.Delete:
		method, header = "DELETE", nil
	case history.Move:
		method, header = "MOVE", []string{"Destination", o.To}
	}
	o.Client, o.Front, o.Began = w.name, at.life(), w.now()
	// One that is under way is brought to its end.
	resp, text, err := w.ask(context.WithoutCancel(w.ctx), at, method, o.Path, body, header...)
	o.Ended = w.now()
	switch {
	case err != nil:
		o.Said = err.Error()
		if resp == nil {
			o.Ended += aftermath
		}
	case resp.StatusCode == http.StatusNotFound && o.Kind != history.Put:
		// Nothing was done, for nothing was there.
		o.Said = method + ": 404"
		o.Kind, o.To, o.Done = history.Read, "", true
	default:
		o.Said, o.Done = resp.Status, slices.Contains(good, resp.StatusCode)
		if !o.Done {
			line, _, _ := strings.Cut(string(text), "\nRequest ")
			o.Said += fmt.Sprintf(" %.300q", line)
			w.surprise(resp.StatusCode, o.String())
		}
	}
	w.log.Add(o)
}

// raze deletes the writer's directory with all that is in it.
func (w *writer) raze(at *front) {
	o := history.Op{Kind: history.Delete, Client: w.name, Front: at.life(), Began: w.now()}
	resp, text, err := w.ask(context.WithoutCancel(w.ctx), at, "DELETE", w.home+"/", nil)
	o.Ended = w.now()
	switch {
	case err != nil:
		o.Said = err.Error()
		if resp == nil {
			o.Ended += aftermath
		}
	case resp.StatusCode == http.StatusNotFound:
		o.Kind, o.Done, o.Said = history.Read, true, "DELETE of the directory: 404"
	default:
		o.Said, o.Done = "of the directory: "+resp.Status, resp.StatusCode == http.StatusNoContent
		if !o.Done {
			line, _, _ := strings.Cut(string(text), "\nRequest ")
			o.Said += fmt.Sprintf(" %.300q", line)
			w.surprise(resp.StatusCode, o.String())
		}
	}
	for _, o.Path = range w.paths[:ownPaths] {
		w.log.Add(o)
	}
}

// surprise notes what should not be answered, whoever is dead.
func (w *writers) surprise(status int, what string) {
	switch status {
	case http.StatusMultiStatus, http.StatusNotFound, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return
	}
	w.fault("not to be answered: " + what)
}

// event notes what happens to all.
func (w *writers) event(what string) { w.log.Note(w.now(), what) }

func (w *writers) fault(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, text)
}

// read asks for a file. What it finds is in the history, unless there is an
// error.
func (w *writers) read(ctx context.Context, at *front, client, p string) (history.Version, error) {
	o := history.Op{Kind: history.Read, Path: p, Client: client, Front: at.life(), Began: w.now(), Done: true}
	resp, content, err := w.ask(ctx, at, http.MethodGet, p, nil)
	o.Ended = w.now()
	if err != nil {
		return "", err // it tells nothing; nor does an answer that breaks off
	}
	switch o.Said = "GET: " + resp.Status; resp.StatusCode {
	case http.StatusOK:
		if o.Version, err = versionOf(content); err != nil {
			w.fault(fmt.Sprintf("not whole: %v: %v", &o, err))
			return "", err
		}
	case http.StatusNotFound:
	default:
		w.surprise(resp.StatusCode, o.String())
		return "", errors.New(resp.Status)
	}
	w.log.Add(o)
	return o.Version, nil
}

// list asks for a directory, and looks which of its files are there.
func (w *writer) list(at *front, dir string, paths []string) {
	o := history.Op{Kind: history.Read, Client: w.name, Front: at.life(), Began: w.now(), Done: true}
	names, err := w.names(w.ctx, at, dir)
	o.Ended, o.Said = w.now(), "PROPFIND"
	if err != nil {
		var wrong unlisted
		if errors.As(err, &wrong) {
			w.surprise(wrong.status, "PROPFIND "+dir+" at "+at.name)
		}
		return
	}
	for _, p := range paths {
		o.Path, o.Version = p, history.Absent
		if slices.Contains(names, path.Base(p)) {
			o.Version = history.Present
		}
		w.log.Add(o)
	}
}

// unlisted is the error of a listing that was refused, or is not complete.
type unlisted struct{ status int }

func (e unlisted) Error() string { return fmt.Sprint("no listing: ", e.status) }

// names returns what is in a directory; nothing if there is no such directory.
func (w *writers) names(ctx context.Context, at *front, dir string) ([]string, error) {
	resp, body, err := w.ask(ctx, at, "PROPFIND", dir+"/", nil, "Depth", "1")
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound:
		return nil, nil
	case resp.StatusCode != http.StatusMultiStatus, resp.Header.Get("Canopy-Incomplete") != "", resp.Trailer.Get("Canopy-Incomplete") != "":
		return nil, unlisted{resp.StatusCode}
	}
	var all struct {
		Hrefs []string `xml:"DAV: response>href"`
	}
	if err := xml.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	var names []string
	for _, h := range all.Hrefs {
		if u, err := url.Parse(h); err == nil && strings.HasPrefix(u.Path, dir+"/") && u.Path != dir+"/" {
			names = append(names, path.Base(u.Path))
		}
	}
	return names, nil
}
