// The SDK from C++17: objects that clean up after themselves, and exceptions instead of error numbers.
//
//     raii send | raii receive
#include <mesh_dp.h>

#include <cstring>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace mesh {

class Error : public std::runtime_error {
public:
    explicit Error(int err) : std::runtime_error(mesh_get_last_error()), number(-err) {}
    const int number; // MESH_ERR_...
};

inline void check(int err)
{
    if (err)
        throw Error(err);
}

// A frame between get and put. One that goes out of scope without put(), as when an exception passes, is given back;
// a source's frame is not published then.
class Buffer {
public:
    explicit Buffer(MeshBuffer *buffer) : buffer_(buffer) {}
    Buffer(Buffer &&other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
    Buffer &operator=(Buffer &&) = delete;
    ~Buffer()
    {
        if (buffer_)
            mesh_discard_buffer(&buffer_);
    }

    std::string_view text() const { return {static_cast<const char *>(buffer_->payload_ptr), buffer_->payload_len}; }

    void write(std::string_view text)
    {
        check(mesh_buffer_set_payload_len(buffer_, text.size())); // refuses what does not fit
        std::memcpy(buffer_->payload_ptr, text.data(), text.size());
    }

    MeshBufferInfo info() const
    {
        MeshBufferInfo info;
        check(mesh_get_buffer_info(buffer_, &info, sizeof(info)));
        return info;
    }

    void put(int timeout_ms = MESH_TIMEOUT_DEFAULT) { check(mesh_put_buffer_timeout(&buffer_, timeout_ms)); }

private:
    MeshBuffer *buffer_;
};

class Client {
public:
    explicit Client(const std::string &config = "{}") { check(mesh_create_client(&client_, config.c_str())); }
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;
    ~Client() { mesh_delete_client(&client_); }
    MeshClient *get() const { return client_; }

private:
    MeshClient *client_ = nullptr;
};

class Connection {
public:
    static Connection source(Client &client, const std::string &config)
    {
        MeshConnection *conn;
        check(mesh_create_tx_connection(client.get(), &conn, config.c_str()));
        return Connection(conn);
    }

    static Connection receiver(Client &client, const std::string &config)
    {
        MeshConnection *conn;
        check(mesh_create_rx_connection(client.get(), &conn, config.c_str()));
        return Connection(conn);
    }

    // The next buffer, or nothing when the stream has ended.
    std::optional<Buffer> get(int timeout_ms = MESH_TIMEOUT_INFINITE)
    {
        MeshBuffer *buffer;
        const int err = mesh_get_buffer_timeout(conn_.get(), &buffer, timeout_ms);
        if (err == -MESH_ERR_CONN_CLOSED)
            return std::nullopt;
        check(err);
        return Buffer(buffer);
    }

private:
    struct Delete {
        void operator()(MeshConnection *conn) const { mesh_delete_connection(&conn); }
    };

    explicit Connection(MeshConnection *conn) : conn_(conn) {}
    std::unique_ptr<MeshConnection, Delete> conn_;
};

} // namespace mesh

int main(int argc, char **argv)
{
    const std::string role = argc == 2 ? argv[1] : "";
    const std::string config = R"({ "connection": { "multipointGroup": { "urn": "raii" } }, "maxPayloadSize": 64,
                                    "options": { "waitForReceivers": 1, "endOfStream": "close" } })";
    try {
        mesh::Client client;
        if (role == "send") {
            auto source = mesh::Connection::source(client, config);
            for (int i = 1; i <= 10; i++) {
                auto buffer = source.get();
                if (!buffer)
                    break;
                buffer->write("message " + std::to_string(i));
                buffer->put(MESH_TIMEOUT_INFINITE);
            }
        } else if (role == "receive") {
            auto receiver = mesh::Connection::receiver(client, config);
            while (auto buffer = receiver.get())
                std::cout << buffer->info().sequence << ": " << buffer->text() << std::endl;
        } else {
            std::cerr << "usage: raii send|receive\n";
            return 2;
        }
    } catch (const mesh::Error &error) {
        std::cerr << mesh_err2str(error.number) << ": " << error.what() << '\n';
        return 1;
    }
}
