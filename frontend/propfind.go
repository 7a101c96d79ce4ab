package frontend

import (
	"context"
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/frontend/lock/lockinfo"
	"canopy/frontend/mediatype"
	"canopy/plugins"
	"canopy/plugins/wire/multistatus"
	"canopy/plugins/wire/propfind"
)

const (
	// moment is how long a listing waits for what is only known of its
	// directory itself, its time of change.
	moment = 50 * time.Millisecond
	// spaceTime bounds the wait for what endpoints say of their room.
	spaceTime = 2 * time.Second
)

// propfind answers PROPFIND. It is never a redirect, not even to add a slash:
// some clients take any for "not found", others for an empty directory.
func (x *exchange) propfind() error {
	if err := x.allow(List, x.path); err != nil {
		return err
	}
	depth := x.Request.Header.Get("Depth")
	switch {
	case depth == "0" || depth == "1":
	case depth == "" || strings.EqualFold(depth, "infinity"): // the same by RFC 4918 section 9.1
		return &problem{
			status: http.StatusForbidden, sentence: "A tree cannot be asked for as a whole, only a directory at a time (Depth: 1).",
			document: multistatus.AppendError(nil, multistatus.FiniteDepth),
		}
	default:
		return invalid("Depth is 0 or 1.")
	}
	ask, err := propfind.Parse(x.Request.Body)
	switch {
	case err == nil:
	case x.Request.Context().Err() != nil:
		return err
	case errors.Is(err, propfind.ErrTooLarge):
		return &problem{status: http.StatusRequestEntityTooLarge, sentence: "The body of a PROPFIND has at most " + strconv.Itoa(propfind.MaxBody) + " bytes.", cause: err}
	default:
		return &problem{status: http.StatusBadRequest, sentence: "The body of a PROPFIND is an XML document with the propfind element of RFC 4918, or nothing.", cause: err}
	}
	if err := x.place(nil, false); err != nil {
		return err
	}
	if depth == "0" {
		return x.propfindOne(ask)
	}
	d, of, err := x.list()
	if plugins.KindOf(err) == plugins.NotDirectory {
		return x.propfindOne(ask)
	}
	if err != nil {
		return err
	}
	defer d.Close()
	return x.propfindAll(ask, d, of)
}

// list lists the directory, and looks up what is known of it itself meanwhile.
func (x *exchange) list() (*federator.Directory, *record.Facts, error) {
	ctx, stop := context.WithCancel(x.Request.Context())
	defer stop()
	of := make(chan *record.Facts, 1)
	go func() {
		found, err := x.h.options.Federator.Lookup(ctx, x.path, federator.First, &x.client)
		if err != nil || found.Kind() != plugins.Directory {
			of <- nil
			return
		}
		of <- &found.Facts
	}()
	d, err := x.h.options.Federator.List(x.Request.Context(), x.path)
	if err == nil {
		// A lookup that takes longer is given up.
		defer time.AfterFunc(moment, stop).Stop()
	} else {
		stop()
	}
	return d, <-of, err
}

// propfindOne answers for the path alone.
func (x *exchange) propfindOne(ask propfind.Request) error {
	found, err := x.h.options.Federator.Lookup(x.Request.Context(), x.path, federator.Best, &x.client)
	if err != nil {
		found, err = x.sent(err)
	}
	if err != nil {
		return err
	}
	x.aged(found.Stale, found.Age)
	var e multistatus.Entry
	fill(&e, &found.Facts, found.Kind(), ask)
	notes := x.notes(ask, false)
	defer notes.end()
	e.Properties = notes.of(x.path, &found.Facts)
	x.incomplete(notes.missing(found.Missing))
	if e.Kind == plugins.Directory {
		x.space(&e, ask)
	}
	locks, err := x.locks(ask, false)
	if err != nil {
		return err
	}
	e.Locks = locks(x.path)
	w := x.multistatus(ask)
	if err := w.Target(&e); err != nil {
		return errBroken
	}
	if err := w.Close(); err != nil {
		return errBroken
	}
	return nil
}

// propfindAll answers for a directory and its children, as they come.
func (x *exchange) propfindAll(ask propfind.Request, d *federator.Directory, of *record.Facts) error {
	x.aged(d.Stale, d.Age)
	end := x.announce(d)
	var e multistatus.Entry
	if of == nil {
		of = new(record.Facts)
	}
	fill(&e, of, plugins.Directory, ask)
	notes := x.notes(ask, true)
	defer notes.end()
	if notes != nil {
		// Who is silent about them is known at the end only.
		x.Header()["Trailer"] = []string{"Canopy-Incomplete"}
		end = func() { x.incomplete(notes.missing(d.Missing())) }
	}
	e.Properties = notes.of(x.path, of)
	if !x.grid() {
		// davix asks for the quota with every listing and makes no use of it.
		x.space(&e, ask)
	}
	locks, err := x.locks(ask, true)
	if err != nil {
		return err
	}
	e.Locks = locks(x.path)
	w := x.multistatus(ask)
	if err := w.Target(&e); err != nil {
		return errBroken
	}
	e = multistatus.Entry{}
	for c := range notes.each(x.path, d) {
		if c.err != nil {
			return x.broken(c.err)
		}
		e.Name, e.Locks, e.Properties = c.Name, locks(path.Join(x.path, c.Name)), c.properties
		fill(&e, &c.Facts, kindOf(c.Child), ask)
		if err := w.Child(&e); err != nil {
			return errBroken
		}
	}
	if err := w.Close(); err != nil {
		return errBroken
	}
	end()
	return nil
}

// fill puts into e what facts say of it. What takes an effort is left out
// unless it is wanted.
func fill(e *multistatus.Entry, f *record.Facts, kind plugins.EntryKind, ask propfind.Request) {
	e.Kind, e.ModTime = kind, f.ModTime()
	e.Size, e.ETag, e.Digests = -1, "", nil
	if kind != plugins.File {
		return
	}
	e.Size = f.Size()
	wanted := ask.Wanted()
	if wanted.Has(propfind.ETag) {
		e.ETag = etag(f)
	}
	if wanted.Has(propfind.DCacheChecksums) || wanted.Has(propfind.OwncloudChecksums) {
		e.Digests = f.Digests()
	}
}

// locks returns what gives the property lockdiscovery of the path, and of its
// children if deep; nothing where nobody asks for it.
func (x *exchange) locks(ask propfind.Request, deep bool) (of func(path string) []byte, err error) {
	t := x.h.options.Locks
	if t == nil || !ask.Wanted().Has(propfind.LockDiscovery) {
		return func(string) []byte { return nil }, nil
	}
	now := time.Now()
	find := t.Find
	if deep {
		find = t.Tree
	}
	set, err := find(x.Request.Context(), now, x.path)
	if err != nil {
		return nil, locking(err)
	}
	return func(path string) []byte {
		if locks := set.On(path); len(locks) > 0 {
			return lockinfo.AppendDiscovery(nil, now, x.h.prefix, locks)
		}
		return nil
	}, nil
}

// space finds out the room, if it was asked for by name.
func (x *exchange) space(e *multistatus.Entry, ask propfind.Request) {
	if !ask.Known.Has(propfind.QuotaUsed) && !ask.Known.Has(propfind.QuotaAvailable) {
		return
	}
	ctx, stop := context.WithTimeout(x.Request.Context(), spaceTime)
	defer stop()
	s := x.h.options.Federator.Space(ctx, x.path)
	e.Space = &s
}

// grid reports whether the client is davix or gfal2, which decode addresses
// in a multistatus only if they are absolute.
func (x *exchange) grid() bool {
	agent := x.Request.UserAgent()
	return strings.Contains(agent, "davix") || strings.Contains(agent, "gfal2")
}

// multistatus begins the answer.
func (x *exchange) multistatus(ask propfind.Request) *multistatus.Writer {
	h := x.Header()
	h["Content-Type"] = []string{"application/xml; charset=utf-8"}
	h["Cache-Control"] = uncached
	h["Dav"] = x.h.classes()
	x.expose()
	o := multistatus.Options{Path: x.h.prefix + x.path, Request: ask, ContentType: mediatype.Of}
	if x.h.options.Writer != nil && x.h.options.Locks != nil {
		o.SupportedLock = lockinfo.AppendSupported(nil)
	}
	if x.path == "/" && x.h.prefix != "" {
		o.Path = x.h.prefix
	}
	if x.grid() {
		o.Prefix = x.Origin.base()
	}
	if strings.Contains(x.Request.Header.Get("Prefer"), "return=minimal") {
		o.Brief = true
		h["Preference-Applied"] = []string{"return=minimal"}
	}
	x.WriteHeader(http.StatusMultiStatus)
	return multistatus.NewWriter(x, o)
}
