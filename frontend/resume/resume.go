// Package resume takes files in pieces, over as many connections as it needs:
// resumable uploads by the protocol tus 1.0 (https://tus.io/protocols).
//
//	h, err := resume.New(resume.Options{Directory: "/var/spool/canopy", Most: 100 << 30, Cleanup: time.Hour})
//	…
//	err = h.Serve(w, r, id, who)
//
// What has come is gathered in the spool, a directory on Canopy's own disk.
// When the last byte is there the file is stored as any upload is, checksum
// included, and the request that brought the byte is answered with what became
// of that. A client that goes away meanwhile does not stop it.
//
// # What an offset means
//
// An upload whose offset is its length has been stored. If storing fails, or
// Canopy dies before it is done, the last byte is given back: the offset is one
// less than the length, so the client sends that byte again and the file is
// stored then. An upload whose content is not what its checksum says can never
// be, and is removed.
//
// # What is asked when
//
// A client names the path of the file when it creates an upload, and whether it
// may write there is asked then and at each later request. What can be known
// beforehand is refused before anything is sent.
//
// # What is left over
//
// An upload that stands still for longer than Options.Cleanup is removed. All
// together may take Options.Most, by the sizes that were announced. One process
// at a time is to use a spool.
package resume

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
	tuslog "golang.org/x/exp/slog"

	"canopy/federator/write"
)

// Version is the protocol's.
const Version = "1.0.0"

// Address is the path of a URL at which uploads are created, and below which
// they are.
const Address = "/-/uploads/"

// Options are what a handler is made of.
type Options struct {
	// Directory is the spool. It is made when the first upload comes.
	Directory string
	// Most is how many bytes all uploads together may be going to have.
	Most int64
	// Cleanup is for how long an upload may stand still.
	Cleanup time.Duration
	// Log is told what went wrong; nil is nobody.
	Log *slog.Logger
}

// Requester is who sends a request. The errors are answered by the front end.
type Requester interface {
	// Path returns the path of the federation that a client means by text: the
	// path of the file's URL, decoded.
	Path(text string) (string, error)
	// May returns an error unless the requester may write to path.
	May(path string) error
	// Check returns the error with which Store would fail as things are.
	Check(ctx context.Context, path string, f write.File) error
	// Store stores the file, and returns the header fields that tell of it.
	Store(ctx context.Context, path string, content io.Reader, f write.File) (http.Header, error)
}

// Refusal is that a request is not fulfilled.
type Refusal struct {
	Status int
	// Sentence is for the client; "" is the usual one for the status.
	Sentence string
	// Err is for the log.
	Err error
}

func (r *Refusal) Error() string {
	if r.Err != nil {
		return r.Err.Error()
	}
	return r.Sentence
}

func (r *Refusal) Unwrap() error { return r.Err }

// Handler answers requests for uploads. All methods may be called concurrently.
type Handler struct {
	tus   *handler.UnroutedHandler
	spool *spool

	cleanup atomic.Int64
	changed chan struct{}
	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

// New returns a handler of the uploads that are in the spool, and removes what
// is left over there, now and from time to time.
func New(o Options) (*Handler, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &Handler{changed: make(chan struct{}, 1)}
	h.ctx, h.stop = context.WithCancel(context.Background())
	var err error
	if h.spool, err = open(h.ctx, o); err != nil {
		h.stop()
		return nil, err
	}
	composer := handler.NewStoreComposer()
	composer.UseCore(h.spool)
	composer.UseTerminater(h.spool)
	composer.UseLocker(h.spool)
	h.tus, err = handler.NewUnroutedHandler(handler.Config{
		StoreComposer: composer, BasePath: Address, MaxSize: o.Most,
		Cors: &handler.CorsConfig{Disable: true}, DisableDownload: true, DisableConcatenation: true,
		PreUploadCreateCallback: h.admit,
		// The front end watches the bodies of requests; and what is to outlive
		// a request has a context of its own.
		GracefulRequestCompletionTimeout: time.Millisecond,
		AcquireLockTimeout:               patience,
		Logger:                           tuslog.New(tuslog.NewTextHandler(io.Discard, &tuslog.HandlerOptions{Level: tuslog.Level(math.MaxInt)})),
	})
	if err != nil {
		h.stop()
		return nil, err
	}
	h.Configure(o.Cleanup)
	h.spool.sweep(time.Now(), o.Cleanup)
	h.wg.Go(h.sweep)
	return h, nil
}

// patience is for how long a request waits for another one of the same upload,
// which is asked to end: that of a client that has come back may still be there.
const patience = 10 * time.Second

// Configure changes for how long an upload may stand still.
func (h *Handler) Configure(cleanup time.Duration) {
	h.cleanup.Store(int64(cleanup))
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// Close ends what the handler does by itself, and what is being stored.
func (h *Handler) Close() {
	h.stop()
	h.wg.Wait()
}

// The times between two looks for what is left over.
const (
	soonest = time.Second
	latest  = 10 * time.Minute
)

// sweep removes what is left over until the handler is closed.
func (h *Handler) sweep() {
	for {
		age := time.Duration(h.cleanup.Load())
		timer := time.NewTimer(min(max(age/4, soonest), latest))
		select {
		case <-h.ctx.Done():
			timer.Stop()
			return
		case <-h.changed:
			timer.Stop()
		case now := <-timer.C:
			h.spool.sweep(now, age)
		}
	}
}

// Describe tells in a header what is possible.
func (h *Handler) Describe(header http.Header) {
	header.Set("Tus-Resumable", Version)
	header.Set("Tus-Version", Version)
	header.Set("Tus-Extension", h.tus.SupportedExtensions())
	header.Set("Tus-Max-Size", strconv.FormatInt(h.spool.most, 10))
}

// Methods returns those that the address of uploads, or of one upload, takes.
func Methods(id string) string {
	if id == "" {
		return "OPTIONS, POST"
	}
	return "OPTIONS, HEAD, PATCH, DELETE"
}

// asked is a request being answered, in its context.
type asked struct {
	who Requester
	// err is why it is refused, where the requester or this package says so.
	err error
	// id is that of an upload that was created, told are the header fields of
	// the file once it was stored.
	id   string
	told http.Header
}

type key struct{}

// of returns what a context is about.
func of(ctx context.Context) *asked {
	a, _ := ctx.Value(key{}).(*asked)
	return a
}

// Serve answers a request for the upload id, or with "" one to create it. If it
// returns an error, nothing has been answered: a *Refusal, or one of who.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, id string, who Requester) error {
	w.Header().Set("Tus-Resumable", Version)
	method := r.Method
	if over := r.Header.Get("X-HTTP-Method-Override"); over != "" && method == http.MethodPost {
		method = over // for clients that can send nothing else
	}
	if method != http.MethodHead && r.Header.Get("Tus-Resumable") != Version {
		w.Header().Set("Tus-Version", Version)
		return &Refusal{Status: http.StatusPreconditionFailed, Sentence: "Only version " + Version + " of the tus protocol is spoken here."}
	}
	about := &asked{who: who}
	r = r.WithContext(context.WithValue(r.Context(), key{}, about))
	at := *r.URL
	at.Path = id
	r.URL, r.Method = &at, method
	answer := &answer{to: w, about: about, header: make(http.Header)}
	if id != "" {
		f, err := h.spool.file(id)
		if err != nil {
			return err
		}
		if _, err := f.place(who); err != nil {
			return err
		}
	}
	switch {
	case id == "" && method == http.MethodPost:
		h.tus.PostFile(answer, r)
	case id != "" && method == http.MethodHead:
		h.tus.HeadFile(answer, r)
	case id != "" && method == http.MethodPatch:
		h.tus.PatchFile(answer, r)
	case id != "" && method == http.MethodDelete:
		h.tus.DelFile(answer, r)
	default:
		w.Header().Set("Allow", Methods(id))
		return &Refusal{Status: http.StatusMethodNotAllowed, Sentence: "This address takes " + Methods(id) + "."}
	}
	return answer.refusal()
}

// place returns where the file goes, if the requester may write there.
func (f *file) place(who Requester) (string, error) {
	path, err := who.Path(f.path)
	if err == nil {
		err = who.May(path)
	}
	return path, err
}

// admit decides whether an upload may begin.
func (h *Handler) admit(hook handler.HookEvent) (handler.HTTPResponse, handler.FileInfoChanges, error) {
	about := of(hook.Context)
	id, err := h.enter(hook, about)
	if err != nil {
		about.err = err
		return handler.HTTPResponse{}, handler.FileInfoChanges{}, err
	}
	about.id = id
	return handler.HTTPResponse{}, handler.FileInfoChanges{ID: id}, nil
}

func (h *Handler) enter(hook handler.HookEvent, about *asked) (id string, err error) {
	f, err := parse(strings.Join(hook.HTTPRequest.Header.Values("Upload-Metadata"), ","))
	if err != nil {
		return "", &Refusal{Status: http.StatusBadRequest, Sentence: "Upload-Metadata: " + err.Error() + "."}
	}
	path, err := f.place(about.who)
	if err != nil {
		return "", err
	}
	if err := about.who.Check(hook.Context, path, f.about(hook.Upload.Size)); err != nil {
		return "", err
	}
	return h.spool.reserve(hook.Upload.Size)
}

var errFull = errors.New("the spool of resumable uploads has no room")
